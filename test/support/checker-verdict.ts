/**
 * What a session checker found: counts, errors and violations of all its users together.
 *
 * Must not know how users act or what is a violation; session-checker.ts judges.
 */

export type ViolationKind =
  /** A number that was answered before, or a lower one. */
  | 'lost-write'
  /** 1 again, in a session that had counted. */
  | 'reset'
  /** A number that this user can't have reached. */
  | 'foreign'
  /** Another session id than the last answer's. */
  | 'new-id'
  /** A logged-out or replaced cookie still had its session. */
  | 'resurrected'
  /** 200, but no number. */
  | 'garbage';

export interface Violation {
  readonly kind: ViolationKind;
  readonly user: number;
  readonly words: string;
  /** Wall clock, as in the logs. */
  readonly at: string;
  /** The user's requests before it, oldest first. */
  readonly history: readonly string[];
}

/** A request without an acknowledged answer. */
export interface FailedRequest {
  readonly user: number;
  /** Monotonic. */
  readonly startMs: number;
  /** Status or error code. */
  readonly what: string;
  /** All of it on a line that begins with its time, wall clock. */
  readonly words: string;
}

export interface CheckerVerdict {
  readonly seed: number;
  /** Acknowledged answers. */
  readonly answers: number;
  /** Requests without an acknowledged answer, by status or error code. */
  readonly errors: Readonly<Record<string, number>>;
  readonly actions: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
  /** The longest time a user went without an answer. */
  readonly longestGapMs: number;
}

const violationsMax = 100;
/** The first ones stay, more are only counted. */
const failedMax = 10_000;

/** A verdict on one line, for an assertion's message. */
export function describeVerdict(verdict: CheckerVerdict): string {
  const violations = verdict.violations
    .map(({ kind, user, words, at }) => `\n  ${at} ${kind}, user ${user}: ${words}`)
    .join('');
  const { answers, errors, actions, longestGapMs, seed } = verdict;
  return `${JSON.stringify({ seed, answers, errors, actions, longestGapMs: Math.round(longestGapMs) })}${violations}`;
}

/** What all users together saw. */
export class Tally {
  answers = 0;
  readonly #errors: Record<string, number> = {};
  readonly #actions: Record<string, number> = {};
  readonly violations: Violation[] = [];
  readonly failed: FailedRequest[] = [];
  readonly #waitingSince = new Map<number, number>();
  #longestGapMs = 0;

  acted(action: string): void {
    this.#actions[action] = (this.#actions[action] ?? 0) + 1;
  }

  answered(user: number, startMs: number): void {
    this.answers += 1;
    const sinceMs = this.#waitingSince.get(user) ?? startMs;
    this.#waitingSince.delete(user);
    this.#longestGapMs = Math.max(this.#longestGapMs, performance.now() - sinceMs);
  }

  fails(request: FailedRequest): void {
    this.#errors[request.what] = (this.#errors[request.what] ?? 0) + 1;
    if (this.failed.length < failedMax) this.failed.push(request);
    if (!this.#waitingSince.has(request.user)) this.#waitingSince.set(request.user, request.startMs);
  }

  violation(violation: Violation): void {
    if (this.violations.length < violationsMax) this.violations.push(violation);
  }

  verdict(seed: number): CheckerVerdict {
    const { answers, violations } = this;
    return {
      seed,
      answers,
      errors: this.#errors,
      actions: this.#actions,
      violations,
      longestGapMs: this.#longestGapMs,
    };
  }
}
