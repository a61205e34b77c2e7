/**
 * Room in the limits of a head for what our own processes add to it. What a gateway took within its limits it sends on
 * with fields of its own, and a sidecar answers with some of its: with the same limits the next hop would refuse what
 * the one before has taken.
 *
 * Must not know which fields those are.
 */

import type { CloseReason } from '../base/close-reasons.ts';
import type { Limits } from '../base/limits.ts';
import type { RequestHead } from '../http1/request-head.ts';

/** X-Forwarded-* and Forwarded, X-Request-ID, traceparent, the body's framing, and the signed ones: with room to spare. */
const addedFieldsMax = 20;
const addedBytesMax = 4096;

/**
 * For heads that come from a process of ours. X-Forwarded-Host says Host once more, so a head may have doubled.
 * @returns limits that go by the given ones, also where those change later
 */
export function withHeadRoom(limits: Limits): Limits {
  const { headBytes, fields } = limits;
  const roomy: Pick<Limits, 'headBytes' | 'fields'> = {
    headBytes: headBytes === 0 ? 0 : 2 * headBytes + addedBytesMax,
    fields: fields === 0 ? 0 : fields + addedFieldsMax,
  };
  return Object.assign(Object.create(limits) as Limits, roomy);
}

/** Why a head that was read with that room is refused to anybody else; undefined: it is within the limits. */
export function beyondLimits(
  { source = '', fields }: RequestHead,
  limits: Pick<Limits, 'headBytes' | 'fields'>,
): CloseReason | undefined {
  if (limits.headBytes !== 0 && source.length > limits.headBytes) return 'head-too-large';
  return limits.fields !== 0 && fields.length > limits.fields ? 'too-many-fields' : undefined;
}
