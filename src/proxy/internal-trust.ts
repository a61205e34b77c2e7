/**
 * Whom a sidecar believes: what the signed fields of a request say of where it comes from, and of its session (rules 4
 * and 5). A stranger's count as if they were not there.
 *
 * Must not know what follows from it.
 */

import type { SessionId } from '../affinity/session-codec.ts';
import type { AdmitAsk } from '../sessions/stay.ts';
import type { Owner } from '../store/contract.ts';
import { fromField, hopField, internalField, type InternalSigner, moveField } from '../upstream/signed-fields.ts';
import type { ExchangeRequest } from './plan.ts';

/** What the internal fields of a request amount to, once their signatures hold. */
export interface Trusted {
  /** The request comes from a gateway or a sidecar of ours. */
  readonly own: boolean;
  readonly move: AdmitAsk['move'];
  /** Another sidecar forwarded it to this one. */
  readonly hopped: boolean;
  /** This sidecar forwarded it, and it has come back. */
  readonly looped: boolean;
}

const stranger: Trusted = { own: false, move: undefined, hopped: false, looped: false };
const ownCaller: Trusted = { own: true, move: undefined, hopped: false, looped: false };
const looping: Trusted = { own: false, move: undefined, hopped: false, looped: true };

/** What is known about ourselves. */
export interface TrustOptions {
  readonly own: Owner;
  readonly signer: InternalSigner;
  /** The session's name in the store. */
  readonly nameOf: (session: SessionId) => string;
}

/** Reads them; a token that holds is remembered with its connection, for as long as the keys stay the same. */
export function readTrusted(
  { head, client }: ExchangeRequest,
  session: SessionId | undefined,
  { own, signer, nameOf }: TrustOptions,
): Trusted {
  const token = internalField(head.fields, fromField);
  if (token === undefined) return stranger;
  const hopText = internalField(head.fields, hopField);
  const named = session === undefined ? '' : nameOf(session);
  const hop = hopText === undefined ? undefined : signer.verifyHop(hopText, named);
  // Whoever it was meant for: its address may be ours by now.
  if (hop?.from === own.uid) return looping;
  const { verified } = client;
  if (verified?.token !== token || verified.keys !== signer.keys) {
    if (!signer.verifyToken(own.uid, token)) return stranger;
    client.verified = { token, keys: signer.keys };
  }
  const move = session === undefined ? undefined : internalField(head.fields, moveField);
  if (move === undefined && hop === undefined) return ownCaller;
  return {
    own: true,
    move: move === undefined ? undefined : signer.verifyMove(own.uid, move, named),
    hopped: hop?.to === own.uid,
    looped: false,
  };
}
