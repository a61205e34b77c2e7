/**
 * The internal fields between gateways and sidecars: how they are spelled, signed and read. Outsiders' fields of
 * these names never get this far unverified; http1/forward-head.ts removes them in both directions.
 *
 * Signatures cover the target pod's uid and a purpose of their own, and no clock (rules 5): a replayed mark can
 * at most ask for a move that the store then judges.
 *
 * `session` is everywhere the session's name in the store, so that both ends cover the same text.
 *
 * Must not know sockets, nor what a role does with what was read.
 */

import { randomBytes } from 'node:crypto';

import type { MoveWord } from '../affinity/choose-pod.ts';
import { affinityOutcomes, type AffinityOutcome } from '../affinity/outcome.ts';
import { followKeys, type KeySource, Signer } from '../base/keyring.ts';
import type { Field } from '../http1/fields.ts';

export const fromField = 'x-holdfast-from';
export const moveField = 'x-holdfast-move';
export const hopField = 'x-holdfast-hop';
export const podField = 'x-holdfast-pod';
export const ownField = 'x-holdfast-own';

/**
 * Why the session's pod is left. `none-left`: no other pod would have it, so a draining one is to serve it after all.
 * `rebalance`: it has more sessions than others, and may give this one.
 */
export type Move = MoveWord | 'none-left' | 'rebalance';

const moves: ReadonlySet<string> = new Set<Move>(['draining', 'unhealthy', 'gone', 'none-left', 'rebalance']);

/** Signs and verifies what gateways and sidecars tell each other on the data path. One for each process. */
export class InternalSigner {
  readonly #from: Signer;
  readonly #move: Signer;
  readonly #hop: Signer;
  /** One for the life of this process, so that a receiver verifies a sender's token once. */
  readonly #nonce = randomBytes(12).toString('base64url');
  readonly #tokens = new Map<string, string>();
  #keys = 0;

  constructor(source: KeySource) {
    this.#from = new Signer(source, 'gateway');
    this.#move = new Signer(source, 'move');
    this.#hop = new Signer(source, 'hop');
    followKeys(source, () => {
      this.#tokens.clear();
      this.#keys++;
    });
  }

  /** Another number whenever the keys are replaced: what was verified before may not hold with these. */
  get keys(): number {
    return this.#keys;
  }

  /** The token that shows a sidecar that this request comes from a gateway or sidecar of its own. */
  token(targetUid: string): string {
    let token = this.#tokens.get(targetUid);
    if (token === undefined) {
      if (this.#tokens.size >= tokensMax) this.#tokens.clear();
      token = `${this.#nonce};${this.#from.sign([targetUid, this.#nonce])}`;
      this.#tokens.set(targetUid, token);
    }
    return token;
  }

  verifyToken(ownUid: string, token: string): boolean {
    const [nonce, signature, rest] = token.split(';');
    return nonce !== undefined && signature !== undefined && rest === undefined
      ? this.#from.verify([ownUid, nonce], signature)
      : false;
  }

  /** The word of a planned move, for the pod that is to take the session. */
  move(targetUid: string, move: Move, session: string): string {
    const nonce = randomBytes(9).toString('base64url');
    return `${move};${nonce};${this.#move.sign([targetUid, move, session, nonce])}`;
  }

  verifyMove(ownUid: string, value: string, session: string): Move | undefined {
    const [move, nonce, signature, rest] = value.split(';');
    if (nonce === undefined || signature === undefined || rest !== undefined) return undefined;
    if (!isMove(move)) return undefined;
    return this.#move.verify([ownUid, move, session, nonce], signature) ? move : undefined;
  }

  /**
   * The mark of a forwarded request. It names both ends: a pod that has got another one's address must still see
   * that it is its own mark that comes back.
   */
  hop({ from, to }: Hop, session: string): string {
    const nonce = randomBytes(9).toString('base64url');
    const ends = `${encodeURIComponent(from)};${encodeURIComponent(to)}`;
    return `${ends};${nonce};${this.#hop.sign([to, from, session, nonce])}`;
  }

  /** @returns who forwarded it to whom, undefined where the mark is not genuine. */
  verifyHop(value: string, session: string): Hop | undefined {
    const [from, to, nonce, signature, rest] = value.split(';').map(decoded);
    if (from === undefined || to === undefined || nonce === undefined || signature === undefined) return undefined;
    if (rest !== undefined) return undefined;
    return this.#hop.verify([to, from, session, nonce], signature) ? { from, to } : undefined;
  }
}

/** The uids of the sidecar that forwarded a request, and of the one it was meant for. */
export interface Hop {
  readonly from: string;
  readonly to: string;
}

/** Targets are pods; a gateway never meets more at once. */
const tokensMax = 4096;

/** What a sidecar says about the answer it passes on: who served, in which term, and how the session came there. */
export interface ServedBy {
  readonly name: string;
  readonly uid: string;
  /** 0: no term is known. */
  readonly epoch: number;
  readonly outcome: AffinityOutcome;
}

export function formatServedBy(served: ServedBy): string {
  return `${encodeURIComponent(served.name)};${encodeURIComponent(served.uid)};${served.epoch};${served.outcome}`;
}

/** @returns undefined for anything that formatServedBy would not have written. */
export function parseServedBy(value: string): ServedBy | undefined {
  const [name, uid, epochText = '', outcomeText, rest] = value.split(';').map(decoded);
  if (name === undefined || uid === undefined || rest !== undefined || !/^\d{1,16}$/.test(epochText)) return undefined;
  const epoch = Number(epochText);
  const outcome = affinityOutcomes.find((known) => known === outcomeText);
  return outcome === undefined || !Number.isSafeInteger(epoch) ? undefined : { name, uid, epoch, outcome };
}

/** Percent-encoding undone; undefined where it is none. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Whether an own answer of a sidecar came before or after the first byte reached the application (rules 3). */
export type OwnMark = { readonly sent: boolean; readonly detail: string };

export function formatOwnMark(mark: OwnMark): string {
  return `${mark.sent ? 'sent' : 'unsent'}; ${mark.detail}`;
}

export function parseOwnMark(value: string): OwnMark | undefined {
  if (value.startsWith('unsent; ')) return { sent: false, detail: value.slice(8) };
  return value.startsWith('sent; ') ? { sent: true, detail: value.slice(6) } : undefined;
}

/** The value of an internal field; of several the first, since we never send two. */
export function internalField(fields: readonly Field[], lower: string): string | undefined {
  for (const field of fields) if (field.lower === lower) return field.value;
  return undefined;
}

function isMove(text: string | undefined): text is Move {
  return text !== undefined && moves.has(text);
}
