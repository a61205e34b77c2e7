/**
 * The one question between keepers, and its answer: how they are spelled and signed. Both cover the target's uid,
 * the session's name, the epoch seen and a number of their own; no clock: a replayed question names a past epoch and
 * is answered "not mine" (rules 5), a replayed answer does not fit another question.
 *
 * Must not know sockets, nor what is released.
 */

import { randomBytes } from 'node:crypto';
import { type KeySource, Signer } from '../base/keyring.ts';
import type { StoreName } from '../store/contract.ts';
import type { ReleaseAnswer, ReleaseAsk, ReleaseWhy } from './peers.ts';

export const releasePath = '/release';
/** Bears the question in the request and the signature of the answer in the response. */
export const releaseField = 'x-holdfast-release';

/** A question with what ties its answer to it. */
export interface SignedAsk extends ReleaseAsk {
  readonly nonce: string;
}

const answers: readonly ReleaseAnswer[] = ['released', 'not-mine', 'kept', 'busy'];
const whys: readonly ReleaseWhy[] = ['now', 'planned', 'rebalance'];
const nameShape = /^[A-Za-z0-9_-]{16,64}$/;
const nonceShape = /^[A-Za-z0-9_-]{12}$/;
const epochShape = /^[1-9][0-9]{0,15}$/;

/** Signs and verifies with keys derived from `store.key`. */
export class ReleaseSigner {
  readonly #signer: Signer;

  constructor(secrets: KeySource) {
    this.#signer = new Signer(secrets, 'release');
  }

  /** The field value that asks the keeper with this uid. */
  ask(targetUid: string, ask: ReleaseAsk): { readonly signed: SignedAsk; readonly value: string } {
    const signed: SignedAsk = { ...ask, nonce: randomBytes(9).toString('base64url') };
    const { name, epoch, why, nonce } = signed;
    const signature = this.#signer.sign(askParts(targetUid, signed));
    return { signed, value: [name, epoch, why, nonce, signature].join(';') };
  }

  /** @returns undefined for a value that was not signed for this keeper. */
  verifyAsk(ownUid: string, value: string): SignedAsk | undefined {
    const [name, epochText, whyText, nonce, signature, rest] = value.split(';');
    if (name === undefined || epochText === undefined || nonce === undefined || signature === undefined)
      return undefined;
    if (rest !== undefined || !nameShape.test(name) || !nonceShape.test(nonce) || !epochShape.test(epochText))
      return undefined;
    const why = whys.find((known) => known === whyText);
    if (why === undefined) return undefined;
    const epoch = Number(epochText);
    const ask: SignedAsk = { name: name as StoreName, epoch, why, nonce };
    return Number.isSafeInteger(epoch) && this.#signer.verify(askParts(ownUid, ask), signature) ? ask : undefined;
  }

  signAnswer(ownUid: string, ask: SignedAsk, answer: ReleaseAnswer): string {
    return this.#signer.sign(answerParts(ownUid, ask, answer));
  }

  /** @returns undefined where the answer is not this keeper's to this question. */
  verifyAnswer(
    targetUid: string,
    ask: SignedAsk,
    told: { readonly text: string; readonly signature: string },
  ): ReleaseAnswer | undefined {
    const answer = answers.find((known) => known === told.text);
    if (answer === undefined) return undefined;
    return this.#signer.verify(answerParts(targetUid, ask, answer), told.signature) ? answer : undefined;
  }
}

function askParts(uid: string, ask: SignedAsk): readonly string[] {
  // Sidecars of the first version sign whether it is planned.
  const why = ask.why === 'rebalance' ? ask.why : String(ask.why === 'planned');
  return ['ask', uid, ask.name, String(ask.epoch), why, ask.nonce];
}

function answerParts(uid: string, ask: SignedAsk, answer: ReleaseAnswer): readonly string[] {
  return ['answer', uid, ask.name, String(ask.epoch), ask.nonce, answer];
}
