/**
 * A gateway's question whether it speaks to the pod it means, answered by a sidecar itself.
 *
 * Must not know sessions.
 */

import type { RequestHead } from '../http1/request-head.ts';
import {
  type Hello,
  helloField,
  type HelloSigner,
  helloTarget,
  isQuestion,
  otherKeyAnswer,
  terminatingField,
} from '../upstream/hello.ts';
import { internalField } from '../upstream/signed-fields.ts';
import type { OwnAnswer } from './plan.ts';

export interface HelloAnswerOptions {
  readonly signer: HelloSigner;
  readonly say: () => Hello;
  /** The number of this process, which it says with its hellos. */
  readonly run: string;
  /** A gateway of ours says that this pod is terminating; said with each of its questions. */
  readonly terminating: () => void;
  /** Somebody asked as a gateway does, with another key. */
  readonly otherKey: () => void;
}

/** @returns undefined for a request that is none of a gateway's questions: it is the application's. */
export function helloAnswer(
  head: RequestHead,
  { signer, say, run, terminating, otherKey }: HelloAnswerOptions,
): OwnAnswer | undefined {
  if (head.target !== helloTarget) return undefined;
  const question = internalField(head.fields, helloField);
  if (question === undefined) return undefined;
  const { uid } = say();
  const word = internalField(head.fields, terminatingField);
  // Before the answer is made: it says that we know.
  if (word !== undefined && signer.isTerminating(word, { uid, run })) terminating();
  const answer = signer.answer(question, { ...say(), run });
  if (answer !== undefined) {
    const fields = [
      ['content-type', 'application/json'],
      [helloField, answer.value],
    ] as const;
    return { status: 200, reason: undefined, fields, body: answer.body };
  }
  // A gateway with another store.key is told so, and nothing else; what does not even look like one is a request.
  if (!isQuestion(question)) return undefined;
  otherKey();
  return { status: 401, reason: undefined, fields: [[helloField, otherKeyAnswer]], body: '' };
}
