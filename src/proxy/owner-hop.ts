/**
 * The one hop from a sidecar to the sidecar of the pod that owns the session (protocol rule 23): what it bears, what
 * comes back, and what its failure says about the owner.
 *
 * Must not know the keeper, nor who decides that a request hops.
 */

import { parseAddress } from '../base/address.ts';
import type { Timeouts } from '../base/limits.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import type { Owner } from '../store/contract.ts';
import {
  fromField,
  hopField,
  internalField,
  type InternalSigner,
  ownField,
  parseOwnMark,
  podField,
} from '../upstream/signed-fields.ts';
import type { Answered, AttemptFailure, Candidate } from './plan.ts';

export interface HopOptions {
  readonly own: Owner;
  readonly signer: InternalSigner;
  readonly timeouts: Timeouts;
}

/**
 * The owner's sidecar serves or adopts, and never forwards again: that is what the mark in its fields says.
 *
 * @param name the session's, in the store; '' for a request without one.
 * @returns undefined where the owner's address is none.
 */
export function hopTo(owner: Owner, name: string, { own, signer, timeouts }: HopOptions): Candidate | undefined {
  const address = parseAddress(owner.data);
  if (address === undefined) return undefined;
  return {
    address,
    pod: owner.name,
    fields: [
      [fromField, signer.token(owner.uid)],
      [hopField, signer.hop({ from: own.uid, to: owner.uid }, name)],
    ],
    connectTimeoutMs: Math.min(timeouts.connectMs, timeouts.handoffMs / 2),
    responseTimeoutMs: sidecarResponseMs(timeouts),
    isSidecar: true,
  };
}

/** @param fromGateway whoever asked us is one of ours, and is told who served. */
export function hopAnswered(head: ResponseHead, { fromGateway }: { readonly fromGateway: boolean }): Answered {
  const mark = internalField(head.fields, ownField);
  const own = mark === undefined ? undefined : parseOwnMark(mark);
  if (own?.sent === false) return { kind: 'unsent', detail: own.detail };
  const served = internalField(head.fields, podField);
  const fields: [string, string][] = [];
  // An own answer of the other sidecar stays marked, so that a gateway does not count it as the application's.
  if (mark !== undefined) fields.push([ownField, mark]);
  if (served !== undefined && fromGateway) fields.push([podField, served]);
  return { kind: 'pass', hold: 'none', fields };
}

/**
 * What a failed hop says about the owner. 'dead': nobody took the connection, or somebody else has its address.
 * 'draining': it goes away, or its application has. 'alive': it has the session and can't serve it now.
 */
export function ownerAfter({ unsent }: AttemptFailure): 'dead' | 'draining' | 'alive' {
  if (unsent === undefined || unsent.startsWith('loop')) return 'dead';
  const goes = ['draining', 'shutting-down', 'upstream-'].some((beginning) => unsent.startsWith(beginning));
  return goes ? 'draining' : 'alive';
}

/** How long a sidecar may take: its application's time and every wait of its own (rules 21). */
export function sidecarResponseMs(timeouts: Timeouts): number {
  const { responseMs, handoffMs, lockMs, syncMs, turnMs } = timeouts;
  return responseMs + handoffMs + lockMs + syncMs + turnMs + 1000;
}
