/**
 * A certificate and its key: do they fit, for which names are they, and until when?
 *
 * Must not know who serves them, or when their files change (tls-contexts.ts).
 */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';

import { HoldfastError } from '../base/errors.ts';
import type { PemSource } from './listen-place.ts';

export interface CertificatePair {
  /** PEM; the chain with it. */
  readonly certificate: string;
  readonly key: string;
  /** DNS names in lower case, `*.` for one label; from subjectAltName, since clients look nowhere else (RFC 9525). */
  readonly names: readonly string[];
  readonly startsMs: number;
  readonly expiresMs: number;
}

/** A chain of certificates with long names takes some 10 KB. */
const pemBytesMax = 1024 * 1024;

/** @throws HoldfastError 'certificate-unusable' */
export function readPem(source: PemSource): string {
  if (source.kind === 'text') return source.text;
  return guarded(source.path, () => {
    checkSize(statSync(source.path).size);
    return readFileSync(source.path, 'utf8');
  });
}

/** As readPem(), beside requests. @throws HoldfastError 'certificate-unusable' */
export async function readPemLater(source: PemSource): Promise<string> {
  if (source.kind === 'text') return source.text;
  try {
    checkSize((await stat(source.path)).size);
    return await readFile(source.path, 'utf8');
  } catch (error) {
    throw unusable(`${source.path} can not be read: ${codeOf(error)}`);
  }
}

/** @throws HoldfastError 'certificate-unusable': one of them is none, or they do not belong together */
export function readPair(certificate: string, key: string): CertificatePair {
  const x509 = attempt(() => new X509Certificate(certificate), 'the certificate is no PEM certificate');
  const isEncrypted = key.includes('ENCRYPTED');
  const words = isEncrypted ? 'the key is encrypted; it has to be plain PEM' : 'the key is no private key in PEM';
  const privateKey = attempt(() => createPrivateKey(key), words);
  if (!x509.checkPrivateKey(privateKey)) throw unusable('the key does not belong to the certificate');
  return {
    certificate,
    key,
    names: dnsNames(x509.subjectAltName ?? ''),
    startsMs: Date.parse(x509.validFrom),
    expiresMs: Date.parse(x509.validTo),
  };
}

/** @throws HoldfastError 'certificate-unusable': nobody could be trusted by it */
export function readAuthority(pem: string): string {
  attempt(() => new X509Certificate(pem), 'clientCa holds no PEM certificate');
  return pem;
}

/** `DNS:a.test, DNS:*.b.test, IP Address:...`; quoted where a name holds what no host name may. */
function dnsNames(subjectAltName: string): readonly string[] {
  const found = subjectAltName.split(', ').map((entry) => /^DNS:([A-Za-z0-9.*_-]+)$/.exec(entry)?.[1]);
  return found.filter((name) => name !== undefined).map((name) => name.toLowerCase());
}

function attempt<T>(read: () => T, words: string): T {
  try {
    return read();
  } catch {
    // The library's own words would quote what stands there, which may be a key.
    throw unusable(words);
  }
}

function guarded<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw unusable(`${path} can not be read: ${codeOf(error)}`);
  }
}

function checkSize(size: number): void {
  if (size > pemBytesMax) throw unusable(`it is larger than ${pemBytesMax} bytes`);
}

function codeOf(error: unknown): string {
  if (error instanceof HoldfastError) return 'it is too large';
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

function unusable(words: string): HoldfastError {
  return new HoldfastError('certificate-unusable', words);
}
