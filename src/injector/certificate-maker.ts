/**
 * A certificate for the webhook, and the authority that signed it: made together, for each other alone. The authority's
 * key is forgotten as soon as it has signed, so there is none that could be stolen to make others.
 *
 * RFC 5280. Must not know where they are kept (certificate-rotation.ts, own-certificate.ts).
 */

import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  utf8String,
} from './der.ts';

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

const oids = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const;

const signatureAlgorithm = sequence(objectIdentifier(oids.ecdsaWithSha256));

export function makeCertificate(options: MakeOptions): CertificateMaterial {
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  // Two authorities of different times must not be taken for one another: their names differ.
  const issuer = name(`holdfast-injector ${randomBytes(8).toString('hex')}`);
  const authorityId = keyId(authority.publicKey);
  const [subject = ''] = options.names;
  const sign = { signer: authority.privateKey, issuer, ...options };
  return {
    authority: certificate({
      ...sign,
      subject: issuer,
      publicKey: authority.publicKey,
      extensions: [
        critical(oids.basicConstraints, sequence(boolean(true), integer(Buffer.of(0)))),
        // Bit 5, keyCertSign.
        critical(oids.keyUsage, bitString(Buffer.of(0b0000_0100), 2)),
        extension(oids.subjectKeyIdentifier, octetString(authorityId)),
      ],
    }),
    certificate: certificate({
      ...sign,
      subject: name(subject.slice(0, 64)),
      publicKey: own.publicKey,
      extensions: [
        critical(oids.basicConstraints, sequence()),
        // Bit 0, digitalSignature.
        critical(oids.keyUsage, bitString(Buffer.of(0b1000_0000), 7)),
        extension(oids.extendedKeyUsage, sequence(objectIdentifier(oids.serverAuth))),
        extension(oids.subjectAltName, sequence(...options.names.map((dns) => implicit(2, Buffer.from(dns, 'ascii'))))),
        extension(oids.authorityKeyIdentifier, sequence(implicit(0, authorityId))),
      ],
    }),
    key: own.privateKey.export({ format: 'pem', type: 'pkcs8' }),
  };
}

interface CertificateParts extends MakeOptions {
  readonly signer: KeyObject;
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Buffer[];
}

function certificate({ signer, issuer, subject, publicKey, extensions, nowMs, lifetimeMs }: CertificateParts): string {
  const toBeSigned = sequence(
    // Version 3.
    explicit(0, integer(Buffer.of(2))),
    integer(randomBytes(16)),
    signatureAlgorithm,
    issuer,
    sequence(time(nowMs - backdateMs), time(nowMs + lifetimeMs)),
    subject,
    publicKey.export({ format: 'der', type: 'spki' }),
    explicit(3, sequence(...extensions)),
  );
  const signature = sign('sha256', toBeSigned, { key: signer, dsaEncoding: 'der' });
  return pem(sequence(toBeSigned, signatureAlgorithm, bitString(signature)));
}

function name(text: string): Buffer {
  return sequence(set(sequence(objectIdentifier(oids.commonName), utf8String(text))));
}

function extension(oid: string, value: Buffer): Buffer {
  return sequence(objectIdentifier(oid), octetString(value));
}

function critical(oid: string, value: Buffer): Buffer {
  return sequence(objectIdentifier(oid), boolean(true), octetString(value));
}

/** Any digest of the key will do (RFC 7093). */
function keyId(key: KeyObject): Buffer {
  return createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest()
    .subarray(0, 20);
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
