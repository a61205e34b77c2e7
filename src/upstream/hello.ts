/**
 * The one question a gateway asks a sidecar itself: who are you, is your application there, are you draining?
 * It identifies the pod before its first pick (rules 28) and is the health probe (rules 33). Both sides are here:
 * the question and its check, the answer and its check. A hello that is not signed is an ordinary request; one that
 * is signed with another key is told so, because a wrong store.key shows in nothing else before a pod dies.
 *
 * With its question a gateway tells a pod that it is terminating, where its source of pods says so (rules 34). That word
 * covers the pod's uid and a number that its sidecar made when it started, so it means this process and no other; said
 * again it changes nothing, and a pod that is terminating never is anything else again: a replay has no effect.
 *
 * Must not know pods' states or what a probe's result leads to.
 */

import { randomBytes } from 'node:crypto';

import { z } from 'zod';

import { followKeys, keyFingerprint, type KeySource, Signer } from '../base/keyring.ts';

export const helloTarget = '/.well-known/holdfast/hello';
export const helloField = 'x-holdfast-hello';
/** Beside the question: the pod is terminating. */
export const terminatingField = 'x-holdfast-terminating';
/** The answer's field where the question's signature is none of ours. */
export const otherKeyAnswer = 'other-key';

const questionShape = /^[A-Za-z0-9_-]{16};[A-Za-z0-9_-]{32}$/;

/** Whether the field's value is spelled as a question, whoever signed it. */
export function isQuestion(value: string): boolean {
  return questionShape.test(value);
}

const helloShape = z.object({
  name: z.string().min(1),
  uid: z.string().min(1),
  application: z.enum(['up', 'down']),
  store: z.enum(['up', 'down']),
  draining: z.boolean(),
  /** Fingerprint of what names sessions in the store: nameKey and prefix. */
  names: z.string().optional(),
  /** Sessions that are this pod's. */
  owned: z.int().min(0).optional(),
  /** Of them, those in use within the last minute; only where the sidecar gives and takes some to even out the pods. */
  active: z.int().min(0).optional(),
  /** Made anew by each process: what is said to it alone covers this. */
  run: z.string().optional(),
});

/** What a sidecar says of itself. */
export type Hello = z.infer<typeof helloShape>;

/** Whom a word is for: one process of one pod, as its hello named them. */
export interface HelloTarget {
  readonly uid: string;
  readonly run: string;
}

/** Of a sidecar's process, for its hellos. */
export function newRun(): string {
  return randomBytes(12).toString('base64url');
}

export class HelloSigner {
  /** What names sessions here, as in a Hello; undefined: it is not compared. */
  readonly names: string | undefined;
  readonly #signer: Signer;
  #fingerprints: readonly string[] = [];

  constructor(source: KeySource, names?: string) {
    this.#signer = new Signer(source, 'hello');
    followKeys(source, (secrets) => {
      this.#fingerprints = secrets.map((secret) => keyFingerprint(secret));
    });
    this.names = names;
  }

  /** Of the keys, for words about them. */
  get fingerprints(): readonly string[] {
    return this.#fingerprints;
  }

  /** The value of the question's field, and the nonce that the answer must cover. */
  question(): { readonly nonce: string; readonly value: string } {
    const nonce = randomBytes(12).toString('base64url');
    return { nonce, value: `${nonce};${this.#signer.sign(['question', nonce])}` };
  }

  /** @returns the answer's body and the value of its field; undefined where the question is not genuine. */
  answer(question: string, hello: Hello): { readonly body: string; readonly value: string } | undefined {
    if (!isQuestion(question)) return undefined;
    const [nonce, signature] = question.split(';') as [string, string];
    if (!this.#signer.verify(['question', nonce], signature)) return undefined;
    const body = JSON.stringify(hello);
    return { body, value: this.#signer.sign(['answer', nonce, body]) };
  }

  /** The value of the field that tells a sidecar that its pod is terminating. */
  terminating({ uid, run }: HelloTarget): string {
    return this.#signer.sign(['terminating', uid, run]);
  }

  /** Whether a gateway of ours said that to us. */
  isTerminating(value: string, { uid, run }: HelloTarget): boolean {
    return this.#signer.verify(['terminating', uid, run], value);
  }

  /** @returns undefined where the answer is not genuine or not to this question. */
  read(nonce: string, answer: { readonly body: string; readonly value: string }): Hello | undefined {
    if (!this.#signer.verify(['answer', nonce, answer.body], answer.value)) return undefined;
    try {
      return helloShape.parse(JSON.parse(answer.body));
    } catch {
      return undefined;
    }
  }
}
