/**
 * Keeps up with one kind of objects of the API server: lists them, then watches from that version on, for ever. A watch
 * that ends is opened again from where it was; where that is too old (410) everything is listed again. Whatever fails is
 * told and tried again, with back-off; what was told before stays the truth until then.
 *
 * A watch is a connection on which nothing may come for long, so silence and death look alike: bookmarks come about
 * every minute, and a watch over which nothing came for longer is given up.
 *
 * Must not know what the objects are.
 */

import { backoffMs } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { SourceFailure } from '../pods/pod-source.ts';
import { type ApiClient, asFailure } from './api-client.ts';
import { versionOf } from './endpoint-slice.ts';
import { field, text } from './object-fields.ts';
import { type WatchEvent, WatchLines } from './watch-lines.ts';

export interface ListWatchListener {
  /** All objects there are. */
  listed(items: readonly unknown[]): void;
  /** Those that came in one piece of the watch, in order: ADDED, MODIFIED or DELETED. */
  changed(events: readonly WatchEvent[]): void;
  /** The API server said something. */
  heard(): void;
  /** `isMended`: it is asked again at once, and nothing was missed. */
  failed(failure: SourceFailure, isMended: boolean): void;
}

export interface ListWatchOptions {
  /** For each connection anew. @throws whatever asFailure() understands */
  readonly open: () => Promise<ApiClient>;
  readonly path: string;
  readonly labelSelector: string;
  readonly listener: ListWatchListener;
  readonly clock: Clock;
  /** [0, 1) */
  readonly random: () => number;
  /** A watch that brings nothing for so long is given up. */
  readonly silenceMs: number;
}

const pageItems = 50;
/** More than a Service of ten thousand pods has. */
const pagesMax = 100;
/** The API server ends a watch after so long, and up to a quarter more by chance, so that not all come back at once. */
const watchSeconds = 300;
/** A watch that ends sooner is a failure where it has brought nothing or the one before ended as soon. */
const watchMinMs = 1000;
/** From the begin of one connection to that of the next, whatever ends them. */
const connectionMinMs = 250;
const backoff = { firstMs: 250, maxMs: 10_000 };

export class ListWatch {
  readonly #options: ListWatchOptions;
  /** Up to here everything was told; undefined: it has to be listed. */
  #version: string | undefined;
  #client: ApiClient | undefined;
  /** These three since a watch lived for `watchMinMs`: what one brings says nothing of the next. */
  #failures = 0;
  #hasExpired = false;
  #hasEndedSoon = false;
  #pause: { readonly timer: Timer; readonly over: () => void } | undefined;
  #stopped = false;

  constructor(options: ListWatchOptions) {
    this.#options = options;
  }

  /** To be called once. */
  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    this.#client?.destroy();
    this.#pause?.timer.cancel();
    this.#pause?.over();
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#isStopped()) {
      const startMs = clock.monotonicMs();
      const failure = await this.#connection();
      if (this.#isStopped()) return;
      const leftMs = connectionMinMs - (clock.monotonicMs() - startMs);
      await this.#wait(Math.max(this.#pauseAfter(failure), leftMs));
    }
  }

  /** Milliseconds until the next connection. */
  #pauseAfter(failure: SourceFailure | undefined): number {
    const { listener, random } = this.#options;
    if (failure === undefined) return 0;
    // Listed again at once, whatever failed before; but a second 410 in a row means that something is wrong.
    const isMended = failure.kind === 'expired' && !this.#hasExpired;
    listener.failed(failure, isMended);
    if (failure.kind === 'expired') this.#hasExpired = true;
    if (failure.kind === 'expired' || failure.kind === 'bad-answer') this.#version = undefined;
    if (isMended) return 0;
    this.#failures++;
    return Math.max(failure.retryAfterMs, backoffMs(this.#failures, { ...backoff, random }));
  }

  /** Lists if that is needed, and watches until the watch ends. */
  async #connection(): Promise<SourceFailure | undefined> {
    const { open, clock } = this.#options;
    let client: ApiClient | undefined;
    let startMs = Infinity;
    const hasLived = (): boolean => clock.monotonicMs() - startMs >= watchMinMs;
    try {
      client = await open();
      if (this.#isStopped()) return undefined;
      this.#client = client;
      this.#version ??= await this.#list(client);
      if (this.#isStopped()) return undefined;
      startMs = clock.monotonicMs();
      const hasTold = await this.#watch(client, this.#version);
      if (hasLived() || (hasTold && !this.#hasEndedSoon)) return undefined;
      return new SourceFailure('unreachable', 'the API server ends each watch at once');
    } catch (error) {
      return asFailure(error);
    } finally {
      client?.destroy();
      if (startMs < Infinity) this.#hasEndedSoon = !hasLived();
      if (hasLived()) {
        this.#failures = 0;
        this.#hasExpired = false;
      }
    }
  }

  /** @returns the version from which to watch */
  async #list(client: ApiClient): Promise<string> {
    const { path, labelSelector, listener } = this.#options;
    const items: unknown[] = [];
    let next = '';
    for (let pages = 0; pages < pagesMax; pages++) {
      const query = { labelSelector, limit: String(pageItems), ...(next === '' ? {} : { continue: next }) };
      const page = await client.page(path, query);
      const some = field(page, 'items');
      const version = versionOf(page);
      if (!Array.isArray(some) || version === undefined) {
        throw new SourceFailure('bad-answer', 'the API server answered with something that is no list');
      }
      items.push(...(some as unknown[]));
      next = text(field(field(page, 'metadata'), 'continue')) ?? '';
      if (next !== '') continue;
      if (!this.#isStopped()) {
        listener.heard();
        listener.listed(items);
      }
      return version;
    }
    throw new SourceFailure(
      'bad-answer',
      `the API server has more than ${pagesMax * pageItems} objects of the Service`,
    );
  }

  /** Resolves when the watch has ended in order, with whether it has brought anything. */
  async #watch(client: ApiClient, resourceVersion: string): Promise<boolean> {
    const { path, labelSelector, listener, clock, random, silenceMs } = this.#options;
    const timeoutSeconds = String(Math.round(watchSeconds * (1 + random() / 4)));
    const query = { labelSelector, watch: '1', allowWatchBookmarks: 'true', resourceVersion, timeoutSeconds };
    let silent: SourceFailure | undefined;
    const silence = clock.after(silenceMs, () => {
      silent = new SourceFailure('silent', `nothing came from the API server for ${Math.round(silenceMs / 1000)} s`);
      client.destroy(silent);
    });
    const lines = new WatchLines();
    let hasTold = false;
    try {
      const body = await client.stream(path, query);
      listener.heard();
      for await (const piece of body) {
        silence.refresh();
        const events = lines.push(piece);
        if (this.#isStopped() || events.length === 0) continue;
        listener.heard();
        this.#take(events);
        hasTold = true;
      }
      return hasTold;
    } catch (error) {
      throw silent ?? error;
    } finally {
      silence.cancel();
    }
  }

  #take(events: readonly WatchEvent[]): void {
    const { listener } = this.#options;
    const told: WatchEvent[] = [];
    let failure: SourceFailure | undefined;
    for (const event of events) {
      failure = event.type === 'ERROR' ? errorOf(event.object) : undefined;
      if (failure !== undefined) break;
      const version = versionOf(event.object);
      if (version === undefined) failure = new SourceFailure('bad-answer', 'an event of the watch has no version');
      if (failure !== undefined) break;
      this.#version = version;
      if (event.type !== 'BOOKMARK') told.push(event);
    }
    if (told.length > 0) listener.changed(told);
    if (failure !== undefined) throw failure;
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#pause = { timer: this.#options.clock.after(ms, resolve), over: resolve };
    });
  }

  #isStopped(): boolean {
    return this.#stopped;
  }
}

/** What the API server says inside of a watch (a Status object) when it can't go on. */
function errorOf(status: unknown): SourceFailure {
  const words = (text(field(status, 'message')) ?? 'no reason').slice(0, 300);
  const isExpired = field(status, 'code') === 410 || field(status, 'reason') === 'Expired';
  // Whatever it is, going on from here would meet it again.
  return new SourceFailure(isExpired ? 'expired' : 'bad-answer', `the API server ended the watch: ${words}`);
}
