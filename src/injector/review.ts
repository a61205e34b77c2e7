/**
 * An AdmissionReview (admission.k8s.io/v1) and its answer. The answer always allows: a pod without a sidecar serves its
 * users as it did before, a pod that is refused serves nobody. Pure.
 */

import { z } from 'zod';
import type { PatchOperation } from './json-patch.ts';

const reviewSchema = z.looseObject({
  apiVersion: z.literal('admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview'),
  request: z.looseObject({
    uid: z.string().min(1).max(256),
    namespace: z.string().nullish(),
    operation: z.string(),
    dryRun: z.boolean().nullish(),
    object: z.unknown(),
  }),
});

export interface ReviewRequest {
  readonly uid: string;
  /** '' for an object without one. */
  readonly namespace: string;
  /** Nothing besides the answer may come of it. */
  readonly dryRun: boolean;
  /** To be created or changed; a pod made by a controller has no namespace in itself yet. */
  readonly object: unknown;
}

/** @returns undefined for what is no review that we could answer. */
export function readReview(text: string): ReviewRequest | undefined {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return undefined;
  }
  const read = reviewSchema.safeParse(given);
  if (!read.success) return undefined;
  const { uid, namespace, dryRun, object } = read.data.request;
  return { uid, namespace: namespace ?? '', dryRun: dryRun ?? false, object };
}

/** The API server cuts a warning at 256 characters, and shows 4096 of all. */
const warningCharactersMax = 250;
const warningsMax = 12;

/** @param warnings are told to whoever applied the object. */
export function reviewAnswer(uid: string, patch: readonly PatchOperation[], warnings: readonly string[]): string {
  const shown = warnings.slice(0, warningsMax).map((words) => `holdfast: ${words}`.slice(0, warningCharactersMax));
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed: true,
      ...(patch.length === 0
        ? {}
        : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch), 'utf8').toString('base64') }),
      ...(shown.length === 0 ? {} : { warnings: shown }),
    },
  });
}
