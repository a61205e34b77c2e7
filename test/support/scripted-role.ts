/**
 * A role that does what a test says: candidates in a fixed order, a chosen hold, and verdicts that are given when
 * the test gives them. It writes down what the exchange told it.
 */

import type { Address } from '../../src/base/address.ts';
import type { ResponseHead } from '../../src/http1/response-head.ts';
import type {
  Answered,
  AttemptFailure,
  Candidate,
  ExchangeEnd,
  ExchangeRequest,
  Plan,
  Role,
  Step,
} from '../../src/proxy/plan.ts';
import type { Verdict } from '../../src/sessions/stay.ts';

export interface ScriptedRoleOptions {
  readonly candidates: readonly Address[];
  readonly hold?: 'none' | 'end' | 'head';
  readonly savedLater?: boolean;
  readonly fields?: readonly (readonly [string, string])[];
  readonly marksOwnAnswers?: boolean;
  readonly connectTimeoutMs?: number;
  readonly responseTimeoutMs?: number;
  /** Instead of the candidates in their order. */
  readonly next?: (failure: AttemptFailure | undefined, request: ExchangeRequest) => Step | Promise<Step>;
  /** Instead of passing with `hold` and `fields`. */
  readonly answered?: (head: ResponseHead) => Answered;
  /** Instead of waiting for `settleAll`. */
  readonly settle?: () => Verdict | Promise<Verdict>;
  readonly fences?: (setCookie: string) => boolean;
}

export class ScriptedRole implements Role {
  readonly marksOwnAnswers: boolean;
  closing = false;
  readonly requests: ExchangeRequest[] = [];
  readonly failures: AttemptFailure[] = [];
  readonly ends: ExchangeEnd[] = [];
  /** Exchanges whose answer is complete and waits for a verdict. */
  readonly settling: ((verdict: Verdict) => void)[] = [];
  settled = 0;
  readonly #options: ScriptedRoleOptions;

  constructor(options: ScriptedRoleOptions) {
    this.#options = options;
    this.marksOwnAnswers = options.marksOwnAnswers ?? false;
  }

  /** Gives all that wait the same verdict. */
  settleAll(verdict: Verdict = { kind: 'leave' }): void {
    for (const give of this.settling.splice(0)) give(verdict);
  }

  plan(request: ExchangeRequest): Plan {
    this.requests.push(request);
    const options = this.#options;
    const left = [...options.candidates];
    const tried: string[] = [];
    return {
      cookie: undefined,
      forwarded: 'keep',
      report: { affinity: 'none', pod: undefined, tried },
      sessionDigest: undefined,
      next: (failure) => {
        if (failure !== undefined) this.failures.push(failure);
        if (options.next !== undefined) return options.next(failure, request);
        const address = left.shift();
        if (address === undefined) return { kind: 'refuse', reason: failure?.reason ?? 'no-pods' };
        tried.push(`pod-${options.candidates.length - left.length}`);
        return { kind: 'forward', candidate: this.candidate(address, tried.at(-1)!) };
      },
      answered: (head) =>
        options.answered?.(head) ?? {
          kind: 'pass',
          hold: options.hold ?? 'none',
          savedLater: options.savedLater ?? false,
          fields: options.fields ?? [],
        },
      settle: () => {
        this.settled++;
        return options.settle?.() ?? new Promise((resolve) => this.settling.push(resolve));
      },
      finish: (end) => void this.ends.push(end),
      ...(options.fences === undefined ? {} : { fences: options.fences }),
    };
  }

  candidate(address: Address, pod: string): Candidate {
    const { connectTimeoutMs = 20_000, responseTimeoutMs = 60_000 } = this.#options;
    return { address, pod, fields: [], connectTimeoutMs, responseTimeoutMs, isSidecar: false };
  }
}
