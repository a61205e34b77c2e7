/**
 * One user with one browser who counts, logs in and out, looks at pages twice at once, and knows which numbers may come
 * next. Every request is named (`r=u3-17`), so that it can be found in access logs.
 *
 * Must not know what stands between the users and the application.
 */

import { Browser } from './cookie-jar.ts';
import type { CookieJar } from './cookie-jar.ts';
import type { Tally, ViolationKind } from './checker-verdict.ts';
import { seeded, weighted } from './seeded.ts';
import type { CheckerOptions } from './session-checker.ts';

/** What came of one request. */
type Answer =
  | { readonly kind: 'text'; readonly text: string }
  /** Executed or not: unknown. */
  | { readonly kind: 'unknown' };

type Action =
  'inc' | 'read' | 'pair' | 'id' | 'ghost' | 'login' | 'regenerate' | 'redirect' | 'logout' | 'big' | 'huge';

/** counter: mostly changes its session. reader: mostly leaves it as it is. heavy: has a session of 2 MB. */
export type UserKind = 'counter' | 'reader' | 'heavy';

const habits: Readonly<Record<UserKind, readonly { readonly name: Action; readonly weight: number }[]>> = {
  counter: [
    { name: 'inc', weight: 70 },
    { name: 'read', weight: 8 },
    { name: 'pair', weight: 6 },
    { name: 'id', weight: 4 },
    { name: 'ghost', weight: 4 },
    { name: 'login', weight: 2 },
    { name: 'regenerate', weight: 2 },
    { name: 'redirect', weight: 2 },
    { name: 'logout', weight: 1 },
    { name: 'big', weight: 1 },
  ],
  reader: [
    { name: 'read', weight: 84 },
    { name: 'inc', weight: 8 },
    { name: 'id', weight: 6 },
    { name: 'login', weight: 1 },
    { name: 'logout', weight: 1 },
  ],
  heavy: [
    { name: 'inc', weight: 40 },
    { name: 'read', weight: 40 },
    { name: 'huge', weight: 10 },
    { name: 'pair', weight: 5 },
    { name: 'logout', weight: 5 },
  ],
};

/** The end of one request. Times as performance.now() has them. */
export interface RequestEvent {
  readonly user: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly isAnswered: boolean;
}

const ghostsMax = 8;
/** Requests a violation tells about. */
const historyMax = 40;
/** A browser's user does not try again at once. */
const afterErrorMs = 30;

export class VirtualUser {
  readonly #index: number;
  readonly #options: CheckerOptions;
  readonly #tally: Tally;
  readonly #random: () => number;
  readonly #browser: Browser;
  /** The last acknowledged number. */
  #last = 0;
  /** The highest acknowledged number of this user's sessions since the last logout. */
  #highest = 0;
  /** Requests since then that may have counted. */
  #unknown = 0;
  /** A login or logout is unknown: its cookie was lost on the way, so the session may rightly be gone. */
  #mayBeGone = false;
  #id: string | undefined;
  #turn: number;
  /** Cookies of sessions that ended. */
  readonly #ghosts: CookieJar[] = [];
  readonly #kind: UserKind;
  readonly #history: string[] = [];
  #requests = 0;

  constructor(index: number, options: CheckerOptions, tally: Tally) {
    this.#index = index;
    this.#options = options;
    this.#tally = tally;
    this.#random = seeded(options.seed * 1009 + index);
    this.#turn = index;
    this.#kind = options.kinds?.[index % options.kinds.length] ?? 'counter';
    this.#browser = new Browser(options.origins[0]!, { timeoutMs: options.timeoutMs ?? 10_000 });
  }

  async live(isOver: () => boolean): Promise<void> {
    try {
      while (!isOver()) {
        await this.#act(weighted(this.#random, habits[this.#kind]).name);
        await this.#think();
      }
      for (const ghost of this.#ghosts) await this.#visitGhost(ghost);
      await this.#count('/inc');
    } finally {
      await this.#browser.close();
    }
  }

  async #act(action: Action): Promise<void> {
    this.#tally.acted(action);
    switch (action) {
      case 'inc':
        return this.#count('/inc');
      case 'big':
        return this.#count('/big?kb=48');
      case 'huge':
        return this.#count('/big?kb=2048');
      case 'read':
        return this.#read();
      case 'pair':
        return this.#pair();
      case 'id':
        return this.#checkId();
      case 'redirect':
        return this.#count('/redirect');
      case 'login':
        return this.#changeId('/login', { deletes: true });
      case 'regenerate':
        return this.#changeId('/regenerate', { deletes: this.#options.application.regenerateDeletes });
      case 'logout':
        return this.#logout();
      case 'ghost': {
        const ghost = this.#ghosts[Math.floor(this.#random() * this.#ghosts.length)];
        await (ghost === undefined ? this.#count('/inc') : this.#visitGhost(ghost));
        return;
      }
    }
  }

  async #count(path: string): Promise<void> {
    this.#startFresh();
    this.#judge(path, await this.#ask(path));
  }

  /** A look that changes nothing: it shows what was acknowledged, or what is unknown and did count. */
  async #read(): Promise<void> {
    this.#startFresh();
    if (this.#last === 0) return this.#count('/inc');
    const answer = await this.#ask('/get');
    if (answer.kind === 'unknown') return;
    const number = numberOf(answer.text);
    if (this.#mayBeGone && number >= 0 && number <= this.#unknown) return;
    this.#inRange('/get', number, { from: this.#last, to: this.#last + this.#unknown });
    // What was seen may not be unseen again.
    if (number > this.#last) this.#settle(number, Math.max(0, this.#unknown - (number - this.#last)));
  }

  async #think(): Promise<void> {
    const { thinkMs = 0 } = this.#options;
    if (thinkMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#random() * thinkMs));
  }

  /** Two requests of one browser at once: each may have come first, or (without a lock) both at the same number. */
  async #pair(): Promise<void> {
    this.#startFresh();
    // Without a cookie both would begin a session of their own.
    if (this.#last === 0) return this.#count('/inc');
    const before = this.#last;
    const asked = await Promise.all([this.#ask('/inc'), this.#ask('/inc')]);
    const numbers = asked
      .flatMap((answer) => (answer.kind === 'text' ? [numberOf(answer.text)] : []))
      .sort((a, b) => a - b);
    const highest = before + this.#unknown + 2;
    const gone = this.#mayBeGone && numbers.every((number) => number <= 2 + this.#unknown);
    for (const number of numbers) if (!gone) this.#inRange('/inc in a pair', number, { from: before + 1, to: highest });
    if (this.#options.application.locks && numbers.length === 2 && numbers[0] === numbers[1]) {
      this.#violation('lost-write', `both of a pair were answered ${numbers[0]!}, though the application locks`);
    }
    if (numbers.length === 0) this.#unknown += 2;
    else this.#settle(numbers.at(-1)!, 2 - numbers.length);
  }

  async #checkId(): Promise<void> {
    this.#startFresh();
    const answer = await this.#ask('/id');
    if (answer.kind === 'unknown' || this.#last === 0 || this.#mayBeGone) return;
    if (this.#id !== undefined && this.#id !== answer.text) {
      this.#violation(
        'new-id',
        `${answer.text.slice(0, 6)} instead of ${this.#id.slice(0, 6)} at number ${this.#last}`,
      );
    }
    this.#id = answer.text;
  }

  /** A new id with the same content; an old id that the application deleted must stay dead. */
  async #changeId(path: string, old: { readonly deletes: boolean }): Promise<void> {
    this.#startFresh();
    if (this.#last === 0 || this.#unknown > 0 || this.#mayBeGone) return this.#count('/inc');
    const before = this.#browser.jar.copy();
    const answer = await this.#ask(path);
    this.#judge(path, answer);
    this.#id = undefined;
    if (!old.deletes) return;
    if (answer.kind === 'unknown') this.#mayBeGone = true;
    else this.#haunt(before);
  }

  /** Asks until the logout is acknowledged; from then on the old cookie must have no number, for ever. */
  async #logout(): Promise<void> {
    if (this.#last === 0) return this.#count('/inc');
    const before = this.#browser.jar.copy();
    const answer = await this.#ask('/logout');
    this.#id = undefined;
    if (answer.kind === 'unknown') {
      this.#mayBeGone = true;
      return;
    }
    if (!this.#mayBeGone) this.#haunt(before);
    this.#forgetNumber();
  }

  async #visitGhost(jar: CookieJar): Promise<void> {
    const ghost = new Browser(this.#nextOrigin(), { jar: jar.copy(), timeoutMs: this.#options.timeoutMs ?? 10_000 });
    try {
      const answer = await this.#ask('/get', ghost);
      if (answer.kind === 'text' && answer.text !== '0') {
        this.#violation('resurrected', `a session that ended answered ${answer.text}`);
      }
    } finally {
      await ghost.close();
    }
  }

  #haunt(jar: CookieJar): void {
    this.#ghosts.push(jar);
    if (this.#ghosts.length > ghostsMax) this.#ghosts.shift();
  }

  /** Without the session cookie whatever was counted before belongs to nobody. */
  #startFresh(): void {
    if (this.#browser.jar.get(this.#options.application.cookie) === undefined) this.#forgetNumber();
  }

  #forgetNumber(): void {
    this.#last = 0;
    this.#highest = 0;
    this.#unknown = 0;
    this.#mayBeGone = false;
    this.#id = undefined;
  }

  #judge(path: string, answer: Answer): void {
    if (answer.kind === 'unknown') {
      this.#unknown += 1;
      return;
    }
    const number = numberOf(answer.text);
    const from = this.#last + 1;
    // A session that is gone with reason begins again; requests whose answers were lost may have counted in it.
    if (this.#mayBeGone && number >= 1 && number <= 1 + this.#unknown) {
      this.#id = undefined;
      this.#settle(number, 0);
      return;
    }
    this.#inRange(path, number, { from, to: from + this.#unknown });
    this.#settle(number, 0);
  }

  #inRange(path: string, number: number, expected: { readonly from: number; readonly to: number }): void {
    const { from, to } = expected;
    if (number >= from && number <= to) return;
    const words = `${path} answered ${number}, expected ${from}${to > from ? ` to ${to}` : ''}`;
    if (!Number.isSafeInteger(number)) this.#violation('garbage', words);
    else if (number === 1) this.#violation('reset', words);
    // A session that fell back and jumps forward again is the user's own, on another pod.
    else this.#violation(number <= this.#highest + this.#unknown + 2 ? 'lost-write' : 'foreign', words);
  }

  #settle(number: number, unknown: number): void {
    this.#last = Number.isSafeInteger(number) ? number : this.#last;
    this.#highest = Math.max(this.#highest, this.#last);
    this.#unknown = unknown;
    this.#mayBeGone = false;
  }

  async #ask(path: string, browser = this.#browser): Promise<Answer> {
    if (browser === this.#browser) browser.origin = this.#nextOrigin();
    const id = `u${this.#index}-${++this.#requests}`;
    const startMs = performance.now();
    const at = new Date().toISOString();
    const [answer, error] = await browser.get(`${path}${path.includes('?') ? '&' : '?'}r=${id}`).then(
      (answer) => [answer, undefined] as const,
      (error: unknown) => [undefined, error] as const,
    );
    const endMs = performance.now();
    const isAnswered = answer?.status === 200;
    const what = answer === undefined ? codeOf(error) : String(answer.status);
    const text = answer?.text.split('\n')[0] ?? '';
    const who = browser === this.#browser ? '' : ' with the cookies of a session that ended';
    const words = `${at} ${id} ${path}${who} at ${browser.origin}: ${isAnswered ? text.slice(0, 24) : `${what} (unknown)`}, ${Math.round(endMs - startMs)} ms`;
    this.#remember(words);
    this.#options.observe?.({ user: this.#index, startMs, endMs, isAnswered });
    if (isAnswered) {
      this.#tally.answered(this.#index, startMs);
      return { kind: 'text', text };
    }
    this.#tally.fails({ user: this.#index, startMs, what, words });
    await new Promise((resolve) => setTimeout(resolve, afterErrorMs));
    return { kind: 'unknown' };
  }

  #remember(line: string): void {
    this.#history.push(line);
    if (this.#history.length > historyMax) this.#history.shift();
  }

  #nextOrigin(): string {
    const { origins } = this.#options;
    return origins[this.#turn++ % origins.length]!;
  }

  #violation(kind: ViolationKind, words: string): void {
    this.#tally.violation({
      kind,
      user: this.#index,
      words,
      at: new Date().toISOString(),
      history: [...this.#history],
    });
  }
}

/** NaN for anything but digits; an empty answer is no 0. */
function numberOf(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
}

function codeOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return typeof code === 'string' ? code : String(message);
}
