/**
 * The Lua against the pure rules: sequences of calls drawn from a seed, each made to record-rules.ts and to the script in a
 * real redis-server, every answer and the record afterwards compared. The scripts run as they are, but for the line that
 * reads the server's clock: the sequence has its own time, so that expiry and epochs are the same on both sides.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import type { Owner, PutContent, StoreRecord, Term } from '../../src/store/contract.ts';
import * as rules from '../../src/store/record-rules.ts';
import type { Ruled, SessionRecord } from '../../src/store/record-rules.ts';
import {
  encodeOwner,
  readCreate,
  readForce,
  readPlant,
  readRecord,
  readTake,
  readWrite,
  ScriptReply,
} from '../../src/store/redis-replies.ts';
import * as scripts from '../../src/store/redis-scripts.ts';
import type { RedisScript } from '../../src/store/redis-scripts.ts';
import { RedisServer } from '../support/redis-server.ts';

const seed = 4;
const runs = Number(process.env['HOLDFAST_SEQUENCES'] ?? 400);
const names = ['a', 'b'];
const owners: readonly Owner[] = ['p', 'q'].map((uid) => ({ uid, name: uid, peer: `${uid}:1`, data: `${uid}:2` }));
/** A term that the sequence has seen, by its number; none: one that never was. */
const someTerm = fc.record({
  owner: fc.nat({ max: 1 }),
  seen: fc.option(fc.nat({ max: 5 }), { freq: 8, nil: undefined }),
});
const someContent = fc.record({
  version: fc.nat({ max: 4 }),
  text: fc.constantFrom('', 'one', 'two', '\0\xff'),
  mtimeMs: fc.constantFrom(0, 1_700_000_000_000, 1_700_000_000_123.456),
});
const call = fc.record({
  name: fc.constantFrom(...names),
  /** Ahead of most lives, sometimes less than a millisecond, sometimes none at all. */
  passUs: fc.constantFrom(0, 1, 700, 1_000, 30_000_000, 400_000_000),
  ttlMs: fc.constantFrom(10_000, 60_000, 300_000),
  do: fc.constantFrom('take', 'force', 'create', 'put', 'put', 'confirm', 'touch', 'release', 'bury', 'plant'),
  term: someTerm,
  content: someContent,
});
type Call = typeof call extends fc.Arbitrary<infer Value> ? Value : never;

test('the Lua in a real Redis answers as the pure rules do, and leaves the same record', async () => {
  const server = await RedisServer.start();
  const redis = new Redis({ host: '127.0.0.1', port: server.port });
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 25 }), async (calls) => {
        await redis.flushall();
        const both = new Both(redis);
        for (const each of calls) await both.run(each);
      }),
      { seed, numRuns: runs, endOnFailure: true },
    );
  } finally {
    redis.disconnect();
    await server.stop();
  }
});

/** One sequence: the records of the rules, the same in Redis, and the time of both. */
class Both {
  readonly #redis: Redis;
  readonly #records = new Map<string, SessionRecord>();
  readonly #epochs: number[] = [];
  #nowUs = 1_790_000_000_000_000;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async run(each: Call): Promise<void> {
    await this.#pass(each.passUs);
    const { expected, actual } = await this.#call(each);
    assert.deepEqual(actual, expected, each.do);
    await this.#compareRecord(each.name);
  }

  /** What Redis counts down by itself is taken from the lives of its records. */
  async #pass(us: number): Promise<void> {
    const beforeMs = this.#nowUs / 1000;
    this.#nowUs += us;
    for (const [name, record] of this.#records) {
      const leftMs = record.expiresAtMs - this.#nowUs / 1000;
      if (leftMs <= 0) await this.#redis.del(name);
      else if (this.#nowUs / 1000 !== beforeMs) await this.#redis.pexpire(name, Math.ceil(leftMs));
    }
  }

  async #call(each: Call): Promise<{ expected: unknown; actual: unknown }> {
    const { name, ttlMs } = each;
    const me = owners[each.term.owner]!;
    const term: Term = { epoch: this.#epochOf(each.term.seen), uid: me.uid };
    const content: PutContent = {
      version: each.content.version,
      bytes: Buffer.from(each.content.text, 'latin1'),
      mtimeMs: each.content.mtimeMs,
    };
    const caller = { nowUs: this.#nowUs, me, ttlMs };
    const written = [me.uid, encodeOwner(me), ttlMs, content.version, content.bytes, content.mtimeMs];
    switch (each.do) {
      case 'take':
        return this.#pair(rules.take(this.#found(name), caller), name, async () =>
          readTake(await this.#script(scripts.takeScript, name, [me.uid, encodeOwner(me), ttlMs])),
        );
      case 'force': {
        const seen = { epoch: term.epoch, uid: owners[1 - each.term.owner]!.uid };
        return this.#pair(rules.force(this.#found(name), { ...caller, seen }), name, async () =>
          readForce(
            await this.#script(scripts.forceScript, name, [me.uid, encodeOwner(me), ttlMs, seen.epoch, seen.uid]),
          ),
        );
      }
      case 'create':
        return this.#pair(rules.create(this.#found(name), { ...caller, content }), name, async () =>
          readCreate(await this.#script(scripts.createScript, name, written)),
        );
      case 'put':
        return this.#pair(rules.put(this.#found(name), { ...caller, epoch: term.epoch, content }), name, async () =>
          readWrite(await this.#script(scripts.putScript, name, [...written, term.epoch])),
        );
      case 'confirm':
      case 'touch': {
        const life = each.do === 'touch' ? ttlMs : undefined;
        return this.#wrote(rules.confirm(this.#found(name), { nowUs: this.#nowUs, term, ttlMs: life }), name, [
          scripts.confirmScript,
          [term.uid, term.epoch, life ?? ''],
        ]);
      }
      case 'release':
        return this.#wrote(rules.release(this.#found(name), { nowUs: this.#nowUs, term }), name, [
          scripts.releaseScript,
          [term.uid, term.epoch],
        ]);
      case 'bury':
        return this.#wrote(rules.bury(this.#found(name), { nowUs: this.#nowUs, term, ttlMs }), name, [
          scripts.buryScript,
          [term.uid, term.epoch, ttlMs],
        ]);
      default:
        return this.#pair(rules.plant(this.#found(name), { nowUs: this.#nowUs, content, ttlMs }), name, async () =>
          readPlant(await this.#script(scripts.plantScript, name, [content.bytes, content.mtimeMs, ttlMs])),
        );
    }
  }

  /** Confirm, release and bury answer alike. */
  async #wrote(
    ruled: Ruled<unknown>,
    name: string,
    [script, args]: readonly [RedisScript, readonly (string | number)[]],
  ): Promise<{ expected: unknown; actual: unknown }> {
    return this.#pair(ruled, name, async () => readWrite(await this.#script(script, name, args)));
  }

  async #pair(
    ruled: Ruled<unknown>,
    name: string,
    ask: () => Promise<unknown>,
  ): Promise<{ expected: unknown; actual: unknown }> {
    if (ruled.record === undefined) this.#records.delete(name);
    else this.#records.set(name, ruled.record);
    if (ruled.record !== undefined && !this.#epochs.includes(ruled.record.epoch)) this.#epochs.push(ruled.record.epoch);
    return { expected: ruled.reply, actual: await ask() };
  }

  async #script(script: RedisScript, key: string, args: readonly (string | number | Buffer)[]): Promise<ScriptReply> {
    const text = script.text.replace("redis.call('TIME')", '{ARGV[#ARGV - 1], ARGV[#ARGV]}');
    assert.notEqual(text, script.text, 'the script reads the clock once, there');
    const clock = [Math.floor(this.#nowUs / 1_000_000), this.#nowUs % 1_000_000];
    return new ScriptReply(await this.#redis.callBuffer('EVAL', [text, 1, key, ...args, ...clock]));
  }

  async #compareRecord(name: string): Promise<void> {
    const fields = await this.#redis.hmgetBuffer(name, 'e', 'o', 't', 'v', 's');
    const record = this.#found(name);
    const expected: StoreRecord | undefined = record && {
      epoch: record.epoch,
      owner: record.owner,
      tombstone: record.tombstone,
      version: record.version,
      storedAtMs: record.storedAtMs,
    };
    assert.deepEqual(readRecord(new ScriptReply(fields)), expected, 'the record');
    const [bytes, mtime, lifeMs] = [
      await this.#redis.hgetBuffer(name, 'b'),
      await this.#redis.hget(name, 'm'),
      await this.#redis.pttl(name),
    ];
    assert.equal((await this.#redis.hget(name, 'r')) ?? undefined, record && String(record.sinceEpoch), 'the run');
    assert.deepEqual(bytes ?? undefined, record?.content?.bytes);
    assert.equal(mtime ?? undefined, record?.content && String(record.content.mtimeMs));
    if (record === undefined) return;
    const expectedMs = record.expiresAtMs - this.#nowUs / 1000;
    // Redis goes on counting while the comparison runs.
    assert.ok(lifeMs <= expectedMs + 1 && lifeMs > expectedMs - 9000, `lives for ${lifeMs} ms, not ${expectedMs}`);
  }

  #found(name: string): SessionRecord | undefined {
    return rules.alive(this.#records.get(name), { nowUs: this.#nowUs });
  }

  /** One of the epochs there were, newest first, or one that never was. */
  #epochOf(seen: number | undefined): number {
    return (seen === undefined ? undefined : this.#epochs.at(-1 - seen)) ?? 7;
  }
}
