/**
 * Virtual users who count, and a judge of what they were answered. Every user holds one cookie jar and asks the
 * example applications for the next number; an acknowledged number must never be lost, repeated, reset or somebody
 * else's. After an error the outcome of that request is unknown: the application may have counted or not.
 *
 * Must not know what stands between the users and the application.
 */

import { Tally } from './checker-verdict.ts';
import type { CheckerVerdict, FailedRequest } from './checker-verdict.ts';
import { VirtualUser } from './virtual-user.ts';
import type { RequestEvent, UserKind } from './virtual-user.ts';

export interface ApplicationTraits {
  readonly cookie: string;
  /** It locks a session for a whole request (plain PHP): parallel requests never share a number. */
  readonly locks: boolean;
  /** Its /regenerate ends the old session, as its /login always does. */
  readonly regenerateDeletes: boolean;
}

export interface CheckerOptions {
  /** Users go from one to the next in turn: several gateways must agree. */
  readonly origins: readonly string[];
  readonly users: number;
  readonly application: ApplicationTraits;
  /** Same seed, same actions. */
  readonly seed: number;
  /** Answers that take longer count as errors. */
  readonly timeoutMs?: number;
  /** The users in turn; counters by default. */
  readonly kinds?: readonly UserKind[];
  /** A user waits up to this long between two actions; 0 by default. */
  readonly thinkMs?: number;
  /** Sees the end of every request. */
  readonly observe?: (event: RequestEvent) => void;
}

export class SessionChecker {
  readonly #options: CheckerOptions;
  readonly #tally = new Tally();
  #stopping = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: CheckerOptions) {
    this.#options = options;
  }

  start(): void {
    const users = Array.from(
      { length: this.#options.users },
      (_, index) => new VirtualUser(index, this.#options, this.#tally),
    );
    this.#running = Promise.all(users.map((user) => user.live(() => this.#stopping)));
  }

  /** Lets every user finish, look at their ghosts once more and leave. */
  async stop(): Promise<CheckerVerdict> {
    this.#stopping = true;
    await this.#running;
    return this.#tally.verdict(this.#options.seed);
  }

  /** Acknowledged answers so far: a test can wait until the users go on after a fault. */
  get answers(): number {
    return this.#tally.answers;
  }

  /** Requests without an acknowledged answer so far, the first ten thousand. */
  get failed(): readonly FailedRequest[] {
    return this.#tally.failed;
  }

  /** Violations so far; stop() has all of them. */
  get violations(): CheckerVerdict['violations'] {
    return this.#tally.violations;
  }
}
