/**
 * What happens to session files besides requests: jobs, scripts on the command line, PHP that writes after its answer
 * has left, the framework's clean-up. What is ours is captured; nothing else is touched.
 *
 * The kernel's events are hints (directory-watch.ts). They are gathered for a moment, so that a hundred events of one
 * file are one look, and a session that a request is using is left to that request's end. A scan of the sessions that
 * are ours finds what no hint told of: where inotify lost events or has no watches left, in PHP's directory levels
 * (which are not watched), after changes made while the store was down. It looks at known paths, never at listings.
 *
 * Only sessions with a term are captured (rules 14, 18): a file of any other id, written by whomever, makes no record.
 *
 * Must not know requests, nor how a file is read or stored.
 */

import type { SessionId } from '../affinity/session-codec.ts';
import { delay, type Timer } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { type Capture, outside } from './capture.ts';
import { DirectoryWatch } from './directory-watch.ts';
import type { KeeperContext } from './keeper-context.ts';
import type { SessionEntry } from './session-entry.ts';
import { forEachBounded } from './turns.ts';
import type { Unsynced } from './unsynced.ts';

/** How long hints are gathered: longer than a tick of the kernel's file times, so that a stamp taken then is settled. */
const gatherMs = 100;
/** Sessions that hints name at a time. Beyond it the scan finds the rest. */
const hintsMax = 4096;
/** Between two scans. Their looks take 4 us each. */
const scanPauseMsDefault = 10_000;
/** Looks without a pause: the event loop is held for some 0.3 ms, 2 ms where each finds a change. */
const looksAtOnce = 64;
const betweenLooksMs = 10;
/** Captures under way for outside changes. */
const capturesAtOnce = 16;
/** The same where files are vanishing: there is some hurry to know how many. */
const betweenHurriedLooksMs = 1;
/** Fewer young sessions than this may vanish together; more, if they are most of those that are ours, are no logouts. */
const massMin = 8;
/** Looks at all that is ours while more and more of it vanishes; what is gone by then decides. */
const vanishingLooksMax = 50;

type Found = 'hint' | 'scan';

export class OutsideWrites {
  readonly #context: KeeperContext;
  readonly #capture: Capture;
  readonly #unsynced: Unsynced;
  readonly #watch: DirectoryWatch;
  readonly #scanPauseMs: number;
  /** File names as the kernel told them, and sessions to be looked at again. */
  #hinted = new Set<string>();
  #again = new Set<SessionId>();
  #gathering: Timer | undefined;
  #running = false;
  #watchFailureTold = false;

  constructor(context: KeeperContext, parts: { readonly capture: Capture; readonly unsynced: Unsynced }) {
    this.#context = context;
    this.#capture = parts.capture;
    this.#unsynced = parts.unsynced;
    const { directory, scanPauseMs } = context.options;
    this.#scanPauseMs = scanPauseMs ?? scanPauseMsDefault;
    this.#watch = new DirectoryWatch({
      path: directory.path,
      hint: (fileName) => this.#hint(fileName),
      lost: (why) => this.#watchLost(why),
    });
  }

  /** Watches and scans until stop(). Never throws. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#watch.ensure();
    void this.#scanOnAndOn();
  }

  stop(): void {
    this.#running = false;
    this.#watch.close();
    this.#gathering?.cancel();
    this.#gathering = undefined;
    this.#hinted.clear();
    this.#again.clear();
  }

  /** Several for each request: nothing is done here but to remember it. */
  #hint(fileName: string): void {
    if (this.#hinted.size >= hintsMax) return;
    this.#hinted.add(fileName);
    this.#gather();
  }

  #gather(): void {
    if (!this.#running) return;
    this.#gathering ??= this.#context.options.clock.after(gatherMs, () => void this.#lookAtHinted());
  }

  #watchLost(why: string): void {
    this.#context.counters.watchFailures++;
    if (this.#watchFailureTold) return;
    this.#watchFailureTold = true;
    this.#context.options.log.warn({ why }, 'the session directory is not watched; scans find what changes in it');
  }

  async #lookAtHinted(): Promise<void> {
    const sessions = this.#again;
    const { directory } = this.#context.options;
    for (const fileName of this.#hinted) {
      const session = directory.sessionNamed(fileName);
      if (session !== undefined) sessions.add(session);
    }
    this.#hinted.clear();
    this.#again = new Set();
    await this.#round(sessions, 'hint');
    this.#gathering = undefined;
    if (this.#hinted.size + this.#again.size > 0) this.#gather();
  }

  async #scanOnAndOn(): Promise<void> {
    for (;;) {
      await delay(this.#context.options.clock, this.#scanPauseMs);
      if (!this.#running) return;
      this.#watch.ensure();
      await this.#round(this.#ours(), 'scan');
    }
  }

  #ours(): readonly SessionId[] {
    return this.#context.known.all().flatMap(({ id, state }) => (state.at === 'owned' ? [id] : []));
  }

  /** Looks at each session and captures what has changed, in slices; deletions in the end, together. Never rejects. */
  async #round(sessions: Iterable<SessionId>, found: Found): Promise<void> {
    let changed: SessionEntry[] = [];
    const gone: SessionEntry[] = [];
    try {
      const condition = this.#context.options.directory.condition();
      if (condition === 'missing') return;
      let looks = 0;
      for (const session of sessions) {
        if (!this.#running) return;
        const entry = this.#context.known.peek(session);
        const seen = entry === undefined ? this.#strange(session) : this.#look(entry, found);
        if (seen === 'later') this.#lookAgain(session);
        else if (seen === 'changed') changed.push(entry!);
        else if (seen === 'gone') gone.push(entry!);
        looks++;
        if (looks % looksAtOnce !== 0) continue;
        await forEachBounded(changed, capturesAtOnce, (one) => this.#captured(one, found));
        changed = [];
        await delay(this.#context.options.clock, betweenLooksMs);
      }
      await forEachBounded(changed, capturesAtOnce, (entry) => this.#captured(entry, found));
      const isEmptied = condition === 'emptied';
      if (isEmptied || gone.length > 0) await this.#deleted(gone, { found, isEmptied });
    } catch (error) {
      this.#context.options.log.error({ error }, 'changes outside requests could not be looked at; please report it');
    }
  }

  /** At the next gathering; beyond the bound the scan has to find it. */
  #lookAgain(session: SessionId): void {
    if (this.#again.size >= hintsMax) return;
    this.#again.add(session);
    this.#gather();
  }

  #look(entry: SessionEntry, found: Found): 'nothing' | 'later' | 'changed' | 'gone' {
    const { state } = entry;
    // What a request does, its own end captures; it may have read before this change, so it is looked at again.
    if (entry.busy || entry.inspecting !== undefined) return found === 'hint' ? 'later' : 'nothing';
    if (state.at === 'elsewhere') return this.#notOurs(entry);
    // Nothing but a request begins a session anew on a tombstone: a late write must not undo a logout.
    if (state.at !== 'owned' || state.acknowledged.what === 'absent' || !this.#context.storeUp) return 'nothing';
    if (this.#context.isVoid(entry)) return this.#unused(entry);
    const stamp = state.acknowledged.what === 'content' ? state.acknowledged.stamp : undefined;
    switch (this.#context.options.directory.look(entry.id, stamp)) {
      case 'absent':
        return 'gone';
      case 'changed':
        return 'changed';
      case 'unsettled':
        return found === 'scan' ? 'changed' : 'nothing';
      case 'unchanged':
        return 'nothing';
    }
  }

  /**
   * Nobody has used it for a lifetime, so it may have been another pod's since, and logged out there (rule 5). With its
   * record's life and its file its note is over too.
   */
  #unused(entry: SessionEntry): 'nothing' {
    const unusedMs = this.#context.nowMs() - entry.confirmedAtMs;
    if (unusedMs > entry.ttlMs && !this.#context.options.directory.exists(entry.id))
      this.#context.apply(entry, { on: 'damaged' });
    return 'nothing';
  }

  #notOurs(entry: SessionEntry): 'nothing' {
    const note = this.#context.options.notes.read(entry.id);
    if (entry.termEnded && (note === undefined || note.buried === true)) this.#lateWrite(entry);
    else this.#strange(entry.id);
    return 'nothing';
  }

  /**
   * The term is over and its file was removed; what a script writes now is of an older state and goes too (rule 14).
   * After a logout an outage would serve it else.
   */
  #lateWrite(entry: SessionEntry): void {
    const { counters, options } = this.#context;
    const { directory } = options;
    if (!directory.exists(entry.id)) return;
    counters.writesAfterRelease++;
    if (!entry.lateWriteTold) {
      entry.lateWriteTold = true;
      const more = { session: options.digestOf(entry.id) };
      options.log.warn(
        more,
        'a session file was written after its session had ended or had gone to another pod: that write is lost',
      );
    }
    try {
      directory.remove(entry.id);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      counters.fileFaults++;
    }
  }

  /** Not in memory. If its note says that it is ours, the store is asked, as after an outage; else it is nobody's. */
  #strange(session: SessionId): 'nothing' {
    const { notes, directory } = this.#context.options;
    if (!this.#context.storeUp || this.#context.goingAway) return 'nothing';
    const note = notes.read(session);
    if (note === undefined || note.buried === true || !directory.exists(session)) return 'nothing';
    if (this.#unsynced.add(session)) void this.#unsynced.flush();
    return 'nothing';
  }

  async #captured(entry: SessionEntry, found: Found): Promise<void> {
    if (entry.busy || entry.state.at !== 'owned') {
      this.#lookAgain(entry.id);
      return;
    }
    const end = await this.#capture.run(entry, outside, { withinMs: 0 });
    if (end.kind === 'safe' && end.stored === true) this.#count('outsideChanges', found);
    else if (end.kind === 'buried') this.#count('outsideDeletions', found);
    else if (end.kind === 'unsynced') this.#unsynced.add(entry.id);
    // Whoever writes it holds its lock, perhaps for long.
    else if (end.kind === 'refused' && end.reason === 'lock-timeout') this.#lookAgain(entry.id);
  }

  #count(what: 'outsideChanges' | 'outsideDeletions', found: Found): void {
    this.#context.counters[what]++;
    if (found === 'scan') this.#context.counters.rescanFinds++;
  }

  /**
   * A file that is gone is a logout, or the framework's clean-up. Young sessions that vanish together are neither:
   * a volume that is not mounted any more, a deployment that empties the directory. Their stored copies come back.
   * Emptying takes its time, and hints name only some: how many vanish is known when no more do.
   */
  async #deleted(
    first: readonly SessionEntry[],
    { found, isEmptied }: { readonly found: Found; readonly isEmptied: boolean },
  ): Promise<void> {
    let gone = isEmptied ? await this.#goneOfOurs() : first;
    let areLost = isEmptied;
    for (let looks = 0, before = 0; looks < vanishingLooksMax; looks++) {
      const young = gone.filter((entry) => this.#isYoung(entry));
      areLost ||= young.length >= massMin && young.length * 2 > this.#ours().length;
      if (areLost) this.#lost(young);
      if (areLost ? looks > 0 && young.length === 0 : young.length < massMin || young.length <= before) break;
      before = young.length;
      await delay(this.#context.options.clock, gatherMs);
      if (!this.#running) return;
      gone = await this.#goneOfOurs();
    }
    await forEachBounded(gone, capturesAtOnce, (entry) => this.#ended(entry, found));
  }

  async #goneOfOurs(): Promise<readonly SessionEntry[]> {
    const gone: SessionEntry[] = [];
    let looks = 0;
    for (const session of this.#ours()) {
      const entry = this.#context.known.peek(session);
      if (entry !== undefined && this.#look(entry, 'scan') === 'gone') gone.push(entry);
      looks++;
      if (looks % looksAtOnce === 0) await delay(this.#context.options.clock, betweenHurriedLooksMs);
    }
    return gone;
  }

  /** A request that comes meanwhile waits: admitted, it would run beside this end, and what it begins anew with it. */
  async #ended(entry: SessionEntry, found: Found): Promise<void> {
    if (entry.busy || entry.state.at !== 'owned') return;
    await entry.inspect(this.#captured(entry, found));
  }

  #isYoung({ state }: SessionEntry): boolean {
    if (state.at !== 'owned' || state.acknowledged.what !== 'content') return false;
    return this.#context.options.directory.isYoung(state.acknowledged.mtimeMs);
  }

  #lost(entries: readonly SessionEntry[]): void {
    if (entries.length === 0) return;
    const { counters, options } = this.#context;
    for (const entry of entries) {
      if (entry.busy || entry.state.at !== 'owned') continue;
      counters.massDeletions++;
      this.#context.apply(entry, { on: 'damaged' });
    }
    options.log.error(
      { sessions: entries.length },
      'session files vanished together; that is no logout, their stored copies come back at their next requests',
    );
  }
}
