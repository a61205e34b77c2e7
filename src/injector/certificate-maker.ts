/**
 * A certificate for the webhook, and the authority that signed it: made together, for each other alone. The authority's
 * key is forgotten as soon as it has signed, so there is none that could be stolen to make others.
 *
 * RFC 5280. Must not know where they are kept (certificate-rotation.ts, own-certificate.ts).
 */

import { KeyObject, randomBytes, webcrypto } from 'node:crypto';

/** All in PEM. */
export interface CertificateMaterial {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

export interface MakeOptions {
  /** DNS names, the first one also the subject. */
  readonly names: readonly string[];
  readonly nowMs: number;
  readonly lifetimeMs: number;
}

/** Clocks of other machines may be behind ours. */
export const backdateMs = 5 * 60_000;

/** RFC 5280 appendix A.1, ub-common-name. */
const commonNameMax = 64;
const curve = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const;

export async function makeCertificate({ names, nowMs, lifetimeMs }: MakeOptions): Promise<CertificateMaterial> {
  const x509 = await loadX509();
  const authority = await webcrypto.subtle.generateKey(curve, false, ['sign', 'verify']);
  const own = await webcrypto.subtle.generateKey(curve, true, ['sign', 'verify']);
  // Two authorities of different times must not be taken for one another: their names differ.
  const issuer = commonName(`holdfast-injector ${randomBytes(8).toString('hex')}`);
  const validity = { notBefore: new Date(nowMs - backdateMs), notAfter: new Date(nowMs + lifetimeMs) };
  const signed = { ...validity, issuer, signingKey: authority.privateKey, signingAlgorithm };
  const [authorityCertificate, ownCertificate] = await Promise.all([
    x509.X509CertificateGenerator.create({
      ...signed,
      subject: issuer,
      publicKey: authority.publicKey,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
        await x509.SubjectKeyIdentifierExtension.create(authority.publicKey),
      ],
    }),
    x509.X509CertificateGenerator.create({
      ...signed,
      subject: commonName(names[0] ?? ''),
      publicKey: own.publicKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
        await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
      ],
    }),
  ]);
  return {
    // With their last line's end: several stand in one bundle.
    authority: `${authorityCertificate.toString('pem')}\n`,
    certificate: `${ownCertificate.toString('pem')}\n`,
    key: KeyObject.from(own.privateKey).export({ format: 'pem', type: 'pkcs8' }),
  };
}

/** Only where one is made: that is once in weeks, by one replica, and no other command needs it. */
async function loadX509() {
  // It needs this one to be there first.
  await import('reflect-metadata');
  return await import('@peculiar/x509');
}

function commonName(text: string) {
  return [{ CN: [text.slice(0, commonNameMax)] }];
}
