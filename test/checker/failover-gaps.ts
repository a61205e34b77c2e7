/**
 * How long a pod's users went without an answer when it was lost: from the loss, or from a user's first request after
 * it, to the first good answer.
 *
 * Must not know how pods are lost.
 */

import type { RequestEvent } from '../support/virtual-user.ts';

export type Loss =
  /** Its ports refuse connections. */
  | 'refused'
  /** Nothing comes back from it at all. */
  | 'black-holed';

interface Waiting {
  readonly loss: Loss;
  readonly lostMs: number;
  /** Of the first request that met the loss. */
  sinceMs: number | undefined;
}

export interface GapFigures {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export class FailoverGaps {
  readonly #waiting = new Map<number, Waiting>();
  readonly #gapsMs: Record<Loss, number[]> = { refused: [], 'black-holed': [] };

  /** A pod was lost now; `users` were served by it last. */
  lost(loss: Loss, users: readonly number[]): void {
    const lostMs = performance.now();
    for (const user of users) this.#waiting.set(user, { loss, lostMs, sinceMs: undefined });
  }

  /** The fault is over: who has not asked meanwhile did not see it. */
  over(): void {
    for (const [user, { sinceMs }] of this.#waiting) if (sinceMs === undefined) this.#waiting.delete(user);
  }

  /** The end of a request, as a user sees it. */
  observe(event: RequestEvent): void {
    const waiting = this.#waiting.get(event.user);
    if (waiting === undefined || event.endMs < waiting.lostMs) return;
    waiting.sinceMs ??= Math.max(waiting.lostMs, event.startMs);
    if (!event.isAnswered) return;
    this.#waiting.delete(event.user);
    this.#gapsMs[waiting.loss].push(event.endMs - waiting.sinceMs);
  }

  /** Takes the gaps of another deployment in. */
  add(other: FailoverGaps): void {
    for (const loss of ['refused', 'black-holed'] as const) this.#gapsMs[loss].push(...other.#gapsMs[loss]);
  }

  figures(loss: Loss): GapFigures {
    const gapsMs = this.#gapsMs[loss].toSorted((a, b) => a - b);
    const at = (share: number) =>
      Math.round(gapsMs[Math.min(gapsMs.length - 1, Math.floor(share * gapsMs.length))] ?? 0);
    return { count: gapsMs.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  }
}
