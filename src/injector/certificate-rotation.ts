/**
 * When a certificate is made, exchanged and forgotten, so that at no moment somebody is shown one that he can't trust yet.
 * Several replicas that look at the same state decide the same.
 *
 *     |- current ------------------------------------------|
 *                          ^ 2/3 of its life: `next` is made, its authority is trusted from now on
 *                             ^ settled: next becomes current, the old authority stays trusted
 *                                ^ settled twice more: the old authority goes
 *
 * Pure, but for the certificates that it is given a maker of.
 */

import { X509Certificate } from 'node:crypto';
import { readPair } from '../proxy/tls-certificate.ts';
import { backdateMs, type CertificateMaterial } from './certificate-maker.ts';

export interface CertificateState {
  readonly current?: CertificateMaterial;
  readonly next?: CertificateMaterial;
  readonly previousAuthority?: string;
}

export interface RotationRules {
  readonly names: readonly string[];
  readonly lifetimeMs: number;
  readonly make: () => Promise<CertificateMaterial>;
}

/** Until every API server has heard of an authority: its watch is seconds behind at most, a restart a minute. */
const settledMs = 10 * 60_000;

/** Of a shorter life a twelfth is no time in which an API server is sure to hear of an authority. */
export const lifetimeMinMs = 60_000;

/** How long an authority has to be known before it is used. Short lives are for tests. */
export function settleMs(lifetimeMs: number): number {
  return Math.min(settledMs, lifetimeMs / 12);
}

/**
 * The state as it should be now: the very same object where nothing is to be done. One step at a time; the next call
 * does the next one.
 */
export async function rotate(state: CertificateState, nowMs: number, rules: RotationRules): Promise<CertificateState> {
  const { current, next, previousAuthority } = state;
  const life = current === undefined ? undefined : lifeOf(current, rules.names);
  if (current === undefined || life === undefined || life.expiresMs <= nowMs) return { current: await rules.make() };
  const settle = settleMs(rules.lifetimeMs);
  if (next !== undefined) {
    const coming = lifeOf(next, rules.names);
    if (coming === undefined || coming.expiresMs <= nowMs)
      return { current, ...(previousAuthority === undefined ? {} : { previousAuthority }) };
    return nowMs < coming.madeMs + settle ? state : { current: next, previousAuthority: current.authority };
  }
  if (previousAuthority !== undefined) return nowMs < life.madeMs + 3 * settle ? state : { current };
  const renewMs = life.madeMs + ((life.expiresMs - life.madeMs) * 2) / 3;
  return nowMs < renewMs ? state : { ...state, next: await rules.make() };
}

/** Every authority that may have signed what some replica shows, the one in use first. */
export function trusted({ current, next, previousAuthority }: CertificateState): string {
  return [current?.authority, next?.authority, previousAuthority].filter((pem) => pem !== undefined).join('');
}

interface Life {
  readonly madeMs: number;
  readonly expiresMs: number;
}

/** Undefined: it is of no use, or not for these names. */
function lifeOf({ certificate, key, authority }: CertificateMaterial, names: readonly string[]): Life | undefined {
  try {
    const pair = readPair(certificate, key);
    const isSigned = new X509Certificate(certificate).checkIssued(new X509Certificate(authority));
    if (!isSigned || names.some((dns) => !pair.names.includes(dns))) return undefined;
    return { madeMs: pair.startsMs + backdateMs, expiresMs: pair.expiresMs };
  } catch {
    return undefined;
  }
}

const entries = {
  current: { authority: 'ca.crt', certificate: 'tls.crt', key: 'tls.key' },
  next: { authority: 'next-ca.crt', certificate: 'next-tls.crt', key: 'next-tls.key' },
} as const;
const previousEntry = 'previous-ca.crt';

/** The state as a Secret's `data` has it; what is not whole there counts as absent. */
export function readSecretData(data: Readonly<Record<string, unknown>>): CertificateState {
  const text = (entry: string): string | undefined => {
    const value = data[entry];
    return typeof value === 'string' && value !== '' ? Buffer.from(value, 'base64').toString('utf8') : undefined;
  };
  const material = (which: 'current' | 'next'): CertificateMaterial | undefined => {
    const [authority, certificate, key] = Object.values(entries[which]).map(text);
    if (authority === undefined || certificate === undefined || key === undefined) return undefined;
    return { authority, certificate, key };
  };
  const [current, next, previousAuthority] = [material('current'), material('next'), text(previousEntry)];
  return {
    ...(current === undefined ? {} : { current }),
    ...(next === undefined ? {} : { next }),
    ...(previousAuthority === undefined ? {} : { previousAuthority }),
  };
}

/** The whole `data` of a Secret. */
export function secretData(state: CertificateState): Readonly<Record<string, string>> {
  const data: Record<string, string> = {};
  for (const which of ['current', 'next'] as const) {
    const material = state[which];
    if (material === undefined) continue;
    for (const part of ['authority', 'certificate', 'key'] as const)
      data[entries[which][part]] = base64(material[part]);
  }
  if (state.previousAuthority !== undefined) data[previousEntry] = base64(state.previousAuthority);
  return data;
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
