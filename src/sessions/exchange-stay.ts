/**
 * One exchange's stay with the keeper: counted in flight from its admission, settled when its answer has arrived,
 * out when its captures are done.
 *
 * What an answer's session cookie says decides which sessions are looked at, in which order (protocol rule 25,
 * rules 15): a new id first, then the old one. A deletion is never concluded from a cookie, only from the file.
 */

import type { CookieChange, SessionId } from '../affinity/session-codec.ts';
import { ordinary } from './capture.ts';
import type { Lives } from './capture-plan.ts';
import type { KeeperContext } from './keeper-context.ts';
import { epochOf } from './ownership.ts';
import type { SessionEntry } from './session-entry.ts';
import { type ExchangeTicks, leave, type LookCause, type Settle } from './settle.ts';
import type { Stay, Verdict } from './stay.ts';
import type { WriteBehind } from './write-behind.ts';

export interface StayParts {
  readonly context: KeeperContext;
  readonly settle: Settle;
  /** For `replicate: async`. */
  readonly behind: WriteBehind;
  /** Told when an exchange is through with a session. */
  readonly left: (entry: SessionEntry) => void;
}

const unchanged: CookieChange = { kind: 'none' };

export class ExchangeStay implements Stay, ExchangeTicks {
  readonly outcome: Stay['outcome'];
  readonly arrivedTick: number;
  readonly admittedTick: number;
  readonly #parts: StayParts;
  /** Undefined: the request named no session. */
  readonly #entry: SessionEntry | undefined;
  #change: CookieChange = unchanged;
  #ended = false;

  /** The entry's count of exchanges in flight includes this one already. */
  constructor(
    parts: StayParts,
    entry: SessionEntry | undefined,
    told: { readonly outcome: Stay['outcome']; readonly arrivedTick: number },
  ) {
    this.#parts = parts;
    this.#entry = entry;
    this.outcome = told.outcome;
    this.arrivedTick = told.arrivedTick;
    this.admittedTick = parts.context.tick();
  }

  get session(): SessionId | undefined {
    return this.#entry?.id;
  }

  get epoch(): number | undefined {
    return this.#entry === undefined ? undefined : epochOf(this.#entry.state);
  }

  answered(change: CookieChange): void {
    this.#change = change;
  }

  settle(lives?: Lives): Verdict | Promise<Verdict> {
    if (!this.#end()) return leave;
    const cause = lives === undefined ? ordinary : { ...ordinary, lives };
    if (this.#parts.context.options.replicate === 'sync' || this.#waitsInAsync()) return this.#settle(cause);
    this.#settleBehind(cause);
    return leave;
  }

  abandon(how: 'not-sent' | 'client-left' | 'application-died'): void {
    if (!this.#end()) return;
    const entry = this.#entry;
    if (entry === undefined) return;
    if (how === 'not-sent') this.#leave(entry);
    else if (how === 'client-left') void this.#look(entry, ordinary);
    else this.#inspect(entry);
  }

  /** Rule 17: what the dead application left is looked at before the next request is forwarded. */
  #inspect(entry: SessionEntry): void {
    const look = this.#look(entry, { issued: false, died: true });
    if (look instanceof Promise) void entry.inspect(look);
  }

  /** In async mode too a logout is a tombstone before its answer leaves; and what can't be remembered waits. */
  #waitsInAsync(): boolean {
    const entry = this.#entry;
    const makesOne = this.#change.kind === 'set' && this.#change.session !== entry?.id;
    if ((makesOne || entry !== undefined) && !this.#parts.behind.hasRoom(makesOne ? undefined : entry)) return true;
    if (entry === undefined) return false;
    const { state } = entry;
    if (state.at === 'unrecorded' || ('acknowledged' in state && state.acknowledged.what === 'absent')) return false;
    return !this.#parts.context.options.directory.exists(entry.id);
  }

  /** Async: the answer leaves now, and nobody waits for what becomes of its capture. */
  #settleBehind(cause: LookCause): void {
    const { behind, context } = this.#parts;
    const entry = this.#entry;
    const change = this.#change;
    if (change.kind === 'set') {
      if (change.session !== entry?.id) behind.add(this.#issued(change), this, { ...cause, issued: true });
      else context.livesFor(entry, change.lifetimeSeconds);
    }
    if (entry !== undefined) behind.add(entry, this, cause);
  }

  #settle(cause: LookCause): Verdict | Promise<Verdict> {
    const entry = this.#entry;
    const change = this.#change;
    if (change.kind === 'set') {
      if (change.session !== entry?.id) return this.#newSession(change, cause);
      this.#parts.context.livesFor(entry, change.lifetimeSeconds);
    }
    return entry === undefined ? leave : this.#look(entry, cause);
  }

  /** The new id is stored before the old one is looked at; the other order could lose both (rule 25). */
  async #newSession(change: Extract<CookieChange, { readonly kind: 'set' }>, cause: LookCause): Promise<Verdict> {
    const created = await this.#look(this.#issued(change), { ...cause, issued: true });
    if (this.#entry === undefined) return created;
    if (created.kind === 'refuse') {
      // The client keeps the old id: where the application has removed its file the stored copy comes back (rule 17).
      await this.#look(this.#entry, { ...cause, died: true });
      return created;
    }
    const old = await this.#look(this.#entry, cause);
    return old.kind === 'refuse' ? old : leave;
  }

  /** The session of an id that the answer sets; this exchange is in flight for it too. */
  #issued(change: Extract<CookieChange, { readonly kind: 'set' }>): SessionEntry {
    const { context } = this.#parts;
    const fresh = context.known.open(change.session);
    fresh.inFlight++;
    context.livesFor(fresh, change.lifetimeSeconds);
    // In a term that began before this answer it is an ordinary capture; else nobody knew the id until now.
    if (fresh.state.at === 'elsewhere' && fresh.adopting === undefined) {
      context.apply(fresh, { on: 'issued', tick: this.admittedTick });
    }
    return fresh;
  }

  #look(entry: SessionEntry, cause: LookCause): Verdict | Promise<Verdict> {
    const verdict = this.#parts.settle.run(entry, this, cause);
    if (!(verdict instanceof Promise)) {
      this.#leave(entry);
      return verdict;
    }
    return verdict.then((late) => {
      this.#leave(entry);
      return late;
    });
  }

  #leave(entry: SessionEntry): void {
    entry.leave();
    this.#parts.left(entry);
  }

  /** False: it has ended before. */
  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    return true;
  }
}
