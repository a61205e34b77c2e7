/**
 * Whether our keys are those of the sessions in the store. A wrong key is silent else: with another nameKey every
 * session seems never to have been there, with another key none opens, and both show only when a pod has died.
 *
 * Beside its sessions each application has one short text, its mark: the fingerprints of nameKey and of all keys that
 * open. Whoever shares a key with it renews it, so that it follows a rotation (append, move first, drop) by itself.
 *
 * Must not know where keys come from, nor what is done about wrong ones. Fingerprints may be shown, keys never.
 */

import { keyFingerprint, type Secrets } from '../base/keyring.ts';
import type { Store } from './contract.ts';

export interface KeyMark {
  /** Fingerprint of what names sessions. */
  readonly names: string;
  /** Fingerprints of the keys, the one that seals first. */
  readonly keys: readonly string[];
}

export type MarkCheck =
  /** They fit, or nobody has left a mark yet: ours is there now. */
  | { readonly kind: 'fits' }
  /** Something differs; in words for a log, with fingerprints. */
  | { readonly kind: 'differs'; readonly why: string };

/** Other processes may renew the mark at the same moment; then it is looked at again. */
const triesMax = 5;
const shape = /^1;([0-9a-f]{8});([0-9a-f]{8}(?:,[0-9a-f]{8}){0,63})$/;

/** The mark of these secrets. */
export function keyMark(nameSecret: Buffer, secrets: Secrets): KeyMark {
  return { names: keyFingerprint(nameSecret), keys: secrets.map((secret) => keyFingerprint(secret)) };
}

/** Compares with the store's mark, and leaves or renews it. @throws HoldfastError 'store-unavailable' and the like. */
export async function checkMark(store: Pick<Store, 'mark'>, own: KeyMark): Promise<MarkCheck> {
  const next = `1;${own.names};${own.keys.join(',')}`;
  let expected = '';
  for (let tries = 0; tries < triesMax; tries++) {
    const was = await store.mark(expected, next);
    if (was === expected || was === next) return { kind: 'fits' };
    const stored = parse(was);
    // A mark of a later version says nothing to this one.
    if (stored === undefined) return { kind: 'fits' };
    const why = difference(own, stored);
    if (why !== undefined) return { kind: 'differs', why };
    expected = was;
  }
  return { kind: 'fits' };
}

function parse(text: string): KeyMark | undefined {
  const match = shape.exec(text);
  return match === null ? undefined : { names: match[1]!, keys: match[2]!.split(',') };
}

/** Which of the keys differs; undefined: none. */
function difference(own: KeyMark, stored: KeyMark): string | undefined {
  const opens = own.keys.some((key) => stored.keys.includes(key));
  const finds = own.names === stored.names;
  if (opens && finds) return undefined;
  const keys = `store.key has the fingerprint ${own.keys.join(', ')}, the sessions there ${stored.keys.join(', ')}`;
  const names = `store.nameKey has the fingerprint ${own.names}, the sessions there ${stored.names}`;
  // Without a nameKey of its own the key names the sessions too, and one word is enough.
  if (!opens) return finds || own.names === own.keys[0] ? keys : `${keys}; ${names}`;
  return stored.keys.includes(stored.names) ? `${names}: it must be the store.key that there was at first` : names;
}
