/**
 * One session in a keeper's memory: its state (ownership.ts), the exchanges that are with the application, and
 * what is under way for it. Data and its small bookkeeping; the flows are in adopt.ts, capture.ts and hand-off.ts.
 *
 * At most one of each kind is under way: one adopt, one capture and one that waits (rule 9), one release.
 */

import type { SessionId } from '../affinity/session-codec.ts';
import type { Clock } from '../base/clock.ts';
import type { StoreName } from '../store/contract.ts';
import type { AdoptFlight, CaptureFlight, ConfirmFlight, ReleaseEnd } from './flights.ts';
import { elsewhere, type Ownership } from './ownership.ts';

export class SessionEntry {
  readonly id: SessionId;
  readonly name: StoreName;
  state: Ownership = elsewhere;
  /** Exchanges forwarded to the own application and not settled; only they count (rule 21). */
  inFlight = 0;
  adopting: AdoptFlight | undefined;
  capturing: CaptureFlight | undefined;
  nextCapture: CaptureFlight | undefined;
  confirming: ConfirmFlight | undefined;
  releasing: Promise<ReleaseEnd> | undefined;
  /** An application died with this session's file open: nothing is forwarded before the look at it (rule 17). */
  inspecting: Promise<unknown> | undefined;
  /** When the newest call was sent by which the store confirmed our term. */
  confirmedTick = 0;
  /** Monotonic time of the store's last word for our term (rule 5). */
  confirmedAtMs = 0;
  /** Monotonic time at which the record's life, and the note, were last renewed. */
  touchedAtMs = 0;
  notedAtMs = 0;
  /** When this keeper buried the session; exchanges from before are fenced (rules 16). 0: never. */
  buriedTick = 0;
  /** Monotonic time at which another keeper was given it; it gets the time to take it. */
  givenAwayAtMs = -Infinity;
  /** How long the record lives in the store from its last renewal. */
  ttlMs: number;
  /** The slice of time in which a request used it last (session-counts.ts); -1: in none that counts. */
  usedInSlice = -1;
  /** There is a note on disk. */
  noted = false;
  /** Digests of what creates had sent whose replies were lost, the newest last; at most lostCreatesMax. */
  lostCreates: readonly string[] = [];
  /** The last request changed the file; then an early confirm is wasted, the put confirms too. */
  changesOften = false;
  tooLargeTold = false;
  /** The term was given up, lost or buried, and none has begun since: a file that appears now is a late write. */
  termEnded = false;
  lateWriteTold = false;
  #idleWaiters: (() => void)[] = [];
  /** Exchanges that wait for a flow to end; bounded by those in flight. */
  #changeWaiters: (() => void)[] = [];

  constructor(id: SessionId, name: StoreName, ttlMs: number) {
    this.id = id;
    this.name = name;
    this.ttlMs = ttlMs;
  }

  /** Must stay in memory. */
  get busy(): boolean {
    return (
      this.inFlight > 0 || this.adopting !== undefined || this.capturing !== undefined || this.releasing !== undefined
    );
  }

  /** The store has confirmed our term by a call sent at this tick. */
  confirmed(sentTick: number, nowMs: number): void {
    if (sentTick > this.confirmedTick) this.confirmedTick = sentTick;
    this.confirmedAtMs = nowMs;
  }

  /** An exchange is through with the session. */
  leave(): void {
    this.inFlight--;
    if (this.inFlight > 0 || this.#idleWaiters.length === 0) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const wake of waiters) wake();
  }

  /** No request is admitted before `look` has ended; it must not reject. */
  inspect(look: Promise<unknown>): Promise<void> {
    const inspecting = look.then(() => {
      if (this.inspecting === inspecting) this.inspecting = undefined;
    });
    this.inspecting = inspecting;
    return inspecting;
  }

  /** Resolves at the next change of the state. */
  whenChanged(): Promise<void> {
    return new Promise((resolve) => this.#changeWaiters.push(resolve));
  }

  /** The state has changed. */
  changed(): void {
    if (this.#changeWaiters.length === 0) return;
    const waiters = this.#changeWaiters;
    this.#changeWaiters = [];
    for (const wake of waiters) wake();
  }

  /** Resolves when no exchange is in flight (true), or after `boundMs` (false). */
  whenIdle(clock: Clock, boundMs: number): Promise<boolean> {
    if (this.inFlight === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel();
        resolve(true);
      };
      const timer = clock.after(boundMs, () => {
        this.#idleWaiters = this.#idleWaiters.filter((waiter) => waiter !== wake);
        resolve(false);
      });
      this.#idleWaiters.push(wake);
    });
  }
}
