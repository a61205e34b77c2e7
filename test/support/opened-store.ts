/**
 * A store as a process opens it (watched, sealed), and a writer that keeps a session under load and knows afterwards
 * whether what the store holds can be right.
 */

import assert from 'node:assert/strict';
import { systemClock } from '../../src/base/clock.ts';
import { HoldfastError } from '../../src/base/errors.ts';
import type { Store, StoreName } from '../../src/store/contract.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { OpenedStore, OpenStoreOptions } from '../../src/store/open-store.ts';
import { content, freshName, ownerP, ttlMs } from './store-subjects.ts';

/** With bounds that make an outage short, and that a loaded machine keeps; `options` may change them. */
export function openedStore(url: string, options: Partial<OpenStoreOptions> = {}): OpenedStore {
  const secret = Buffer.alloc(32, 1);
  const timeouts = { storeMs: 1000, connectMs: 1000 };
  return openStore({
    url,
    secrets: [secret],
    nameSecret: secret,
    prefix: 'shop',
    timeouts,
    clock: systemClock,
    ...options,
  });
}

/** Puts rising versions of one session, one after another, until it is stopped. */
export class SessionWriter {
  readonly name: StoreName = freshName();
  readonly #store: Store;
  #version = 0;
  /** The highest version that the store has acknowledged. */
  acknowledged = 0;
  failures = 0;
  /** Puts that the store refused although nobody else writes this session. */
  refused = 0;
  /** The longest time between two acknowledgements. */
  longestGapMs = 0;
  #epoch = 0;
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  get sent(): number {
    return this.#version;
  }

  /** Creates the session and begins. */
  async start(): Promise<void> {
    const created = await this.#store.create(this.name, ownerP, content(++this.#version, '1'), ttlMs);
    assert.ok(created.kind === 'created');
    this.#epoch = created.epoch;
    this.acknowledged = 1;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** The version that a take finds; its content is that version's own. */
  async found(): Promise<number> {
    const taken = await this.#store.take(this.name, ownerP, ttlMs);
    assert.ok(taken.kind === 'taken', `${this.name}: ${taken.kind}`);
    assert.equal(taken.blob?.bytes.toString(), String(taken.version));
    return taken.version;
  }

  async #run(): Promise<void> {
    let lastMs = performance.now();
    while (!this.#stopped) {
      const version = ++this.#version;
      try {
        const result = await this.#store.put(this.name, ownerP, this.#epoch, content(version, String(version)), ttlMs);
        if (result.kind === 'refused') this.refused++;
        else this.acknowledged = version;
        this.longestGapMs = Math.max(this.longestGapMs, performance.now() - lastMs);
        lastMs = performance.now();
      } catch (error) {
        assert.ok(error instanceof HoldfastError);
        this.failures++;
      }
      // Leaves the turn: a store that is down refuses at once.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}
