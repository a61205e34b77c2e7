/**
 * A real store behind a bad line: calls can be cut, held back, executed late, or lose their replies. Nothing about
 * the store itself is imitated.
 */

import { HoldfastError } from '../../src/base/errors.ts';
import type {
  CreateResult,
  ForceResult,
  ImportedContent,
  Owner,
  PlantResult,
  PutContent,
  Store,
  StoreName,
  StoreRecord,
  TakeResult,
  Term,
  WriteResult,
} from '../../src/store/contract.ts';

export type StoreCall =
  'take' | 'force' | 'create' | 'put' | 'confirm' | 'release' | 'bury' | 'plant' | 'mark' | 'ownerOf' | 'ping';

export type Fault =
  /** Executed, the caller never hears of it. */
  | 'lost-reply'
  /** The caller is told that there was no answer; it is executed when the test says so. */
  | 'late'
  /** Neither executed nor answered until the test says so. */
  | 'held'
  /** Executed at once, answered when the test says so. */
  | 'slow-reply';

/** One call that meets a fault. */
export interface FaultHandle {
  /** Resolves when the call has arrived. */
  readonly met: Promise<void>;
  /** Lets a 'late' or 'held' call be executed, or a 'slow-reply' be answered; resolves when that is done. */
  deliver(): Promise<void>;
}

interface Waiting {
  readonly call: StoreCall;
  readonly fault: Fault;
  readonly meet: () => void;
  readonly open: Promise<void>;
  readonly done: () => void;
}

export class FaultyStore implements Store {
  /** The store behind the line; may be exchanged (a server that comes back with other data). */
  inner: Store;
  /** No call gets through, none is answered. */
  cut = false;
  /** What was asked, in order. */
  readonly calls: StoreCall[] = [];
  readonly #waiting: Waiting[] = [];

  constructor(inner: Store) {
    this.inner = inner;
  }

  /** The next such call meets this fault. */
  next(call: StoreCall, fault: Fault): FaultHandle {
    const met = Promise.withResolvers<undefined>();
    const open = Promise.withResolvers<undefined>();
    const done = Promise.withResolvers<undefined>();
    this.#waiting.push({
      call,
      fault,
      meet: () => met.resolve(undefined),
      open: open.promise,
      done: () => done.resolve(undefined),
    });
    return {
      met: met.promise,
      deliver: () => {
        open.resolve(undefined);
        return done.promise;
      },
    };
  }

  count(call: StoreCall): number {
    return this.calls.filter((made) => made === call).length;
  }

  take(name: StoreName, me: Owner, ttlMs: number): Promise<TakeResult> {
    return this.#through('take', () => this.inner.take(name, me, ttlMs));
  }

  force(name: StoreName, me: Owner, seen: Term, ttlMs: number): Promise<ForceResult> {
    return this.#through('force', () => this.inner.force(name, me, seen, ttlMs));
  }

  create(name: StoreName, me: Owner, content: PutContent, ttlMs: number): Promise<CreateResult> {
    return this.#through('create', () => this.inner.create(name, me, content, ttlMs));
  }

  put(name: StoreName, me: Owner, epoch: number, content: PutContent, ttlMs: number): Promise<WriteResult> {
    return this.#through('put', () => this.inner.put(name, me, epoch, content, ttlMs));
  }

  confirm(name: StoreName, term: Term, touch: { ttlMs: number } | undefined): Promise<WriteResult> {
    return this.#through('confirm', () => this.inner.confirm(name, term, touch));
  }

  release(name: StoreName, term: Term): Promise<WriteResult> {
    return this.#through('release', () => this.inner.release(name, term));
  }

  bury(name: StoreName, term: Term, ttlMs: number): Promise<WriteResult> {
    return this.#through('bury', () => this.inner.bury(name, term, ttlMs));
  }

  plant(name: StoreName, content: ImportedContent, ttlMs: number): Promise<PlantResult> {
    return this.#through('plant', () => this.inner.plant(name, content, ttlMs));
  }

  mark(expected: string, next: string): Promise<string> {
    return this.#through('mark', () => this.inner.mark(expected, next));
  }

  ownerOf(name: StoreName): Promise<StoreRecord | undefined> {
    return this.#through('ownerOf', () => this.inner.ownerOf(name));
  }

  ping(): Promise<number> {
    return this.#through('ping', () => this.inner.ping());
  }

  /** Ends this line; the store behind it has others. */
  close(): Promise<void> {
    this.cut = true;
    return Promise.resolve();
  }

  async #through<Result>(call: StoreCall, run: () => Promise<Result>): Promise<Result> {
    this.calls.push(call);
    if (this.cut) throw noAnswer();
    const index = this.#waiting.findIndex((waiting) => waiting.call === call);
    if (index < 0) return run();
    const [waiting] = this.#waiting.splice(index, 1);
    waiting!.meet();
    return this.#faulty(waiting!, run);
  }

  async #faulty<Result>(waiting: Waiting, run: () => Promise<Result>): Promise<Result> {
    switch (waiting.fault) {
      case 'lost-reply':
        await run();
        throw noAnswer();
      case 'late':
        void waiting.open.then(run).then(waiting.done, waiting.done);
        throw noAnswer();
      case 'held':
        await waiting.open;
        return run().finally(waiting.done);
      case 'slow-reply': {
        const result = await run();
        await waiting.open;
        waiting.done();
        return result;
      }
    }
  }
}

function noAnswer(): HoldfastError {
  return new HoldfastError('store-unavailable', 'The test has cut the line.');
}
