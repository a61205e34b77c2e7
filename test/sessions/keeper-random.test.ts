/**
 * One user counts while pods die, come back, lose the store or each other, and replies get lost, in an order drawn
 * from a seed. Whatever happens: a number that was answered is never answered again, none is skipped without a
 * failure that explains it, and a logout stays.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { freshSession, type Pod, Pods } from './keeper-pods.ts';
import type { AdmitAsk, Stay } from '../../src/sessions/stay.ts';
import type { SessionId } from '../../src/affinity/session-codec.ts';

const seeds = Number(process.env['HOLDFAST_SEEDS'] ?? 6);
const steps = 60;
const shortTimeouts = { connectMs: 20, syncMs: 60, handoffMs: 120, lockMs: 50 };

for (let seed = 1; seed <= seeds; seed++) {
  test(`no answered number is lost or repeated, whatever dies (seed ${seed})`, async (t) => {
    const random = randomFrom(seed);
    const pods = new Pods(t);
    const all = [];
    for (const uid of ['p', 'q', 'r']) {
      all.push(
        await pods.add(uid, {
          onStoreDown: 'refuse',
          elsewhere: random() < 0.5 ? 'forward' : 'adopt',
          timeouts: shortTimeouts,
        }),
      );
    }
    const history: string[] = [];
    const user = new User(freshSession(), all, random);
    for (let step = 0; step < steps; step++) {
      history.push(await disturb(all, random));
      history.push(await user.act());
      assert.equal(user.fault, undefined, `${user.fault}\n${history.join('\n')}`);
    }
    for (const pod of all) await pod.mend();
    for (let attempt = 0; attempt < 6; attempt++) history.push(await user.act());
    assert.equal(user.fault, undefined, `${user.fault}\n${history.join('\n')}`);
    assert.ok(user.answered > 0, 'some requests were answered');
    user.end();
  });
}

/** A browser and the gateway in front of it: asks some pod, follows forwards, tries again. */
class User {
  answered = 0;
  fault: string | undefined;
  readonly #session: SessionId;
  readonly #pods: readonly Pod[];
  readonly #random: () => number;
  /** Exchanges that nobody waits for any more, but that still run somewhere. */
  readonly #lingering: { readonly stay: Stay; readonly pod: Pod }[] = [];
  #last = 0;
  #unknown = 0;

  constructor(session: SessionId, pods: readonly Pod[], random: () => number) {
    this.#session = session;
    this.#pods = pods;
    this.#random = random;
  }

  async act(): Promise<string> {
    const move = this.#random() < 0.4 ? 'unhealthy' : undefined;
    const pod = pick(this.#pods, this.#random);
    const found = await this.#route(pod, { session: this.#session, move, hopped: false });
    if (typeof found === 'string') return `${pod.uid}: ${found}`;
    if (this.#random() < 0.3) await turn();
    if (this.#random() < 0.3) return this.#look(found);
    const number = found.pod.increment(this.#session);
    if (this.#random() < 0.1) {
      // The client leaves, its request goes on: the number may count or not.
      this.#unknown++;
      this.#lingering.push(found);
      if (this.#random() < 0.7) this.end();
      return `${found.pod.uid}: client left at ${number}`;
    }
    const verdict = await found.stay.settle();
    if (verdict.kind === 'refuse') {
      this.#unknown++;
      return `${found.pod.uid}: ${number} refused ${verdict.reason}`;
    }
    this.#answer(number, this.#last + 1);
    return `${found.pod.uid}: ${number}`;
  }

  /** A request that changes nothing: it must not show an older state either. */
  async #look({ stay, pod }: { readonly stay: Stay; readonly pod: Pod }): Promise<string> {
    const number = pod.read(this.#session);
    const verdict = await stay.settle();
    if (verdict.kind === 'refuse') return `${pod.uid}: saw ${number}, refused ${verdict.reason}`;
    this.#answer(number, this.#last);
    return `${pod.uid}: saw ${number}`;
  }

  #answer(number: number, leastExpected: number): void {
    if (number < leastExpected) this.fault = `${number} was answered after ${this.#last}`;
    const most = this.#last + this.#unknown + (leastExpected - this.#last);
    if (number > most) this.fault = `${number} was answered after ${this.#last}, with ${this.#unknown} unknown`;
    // What was seen happened, and no more of the unknown ones can still come than were seen not to have.
    this.#unknown -= Math.max(0, number - leastExpected);
    this.#last = number;
    this.answered++;
  }

  end(): void {
    for (const { stay } of this.#lingering.splice(0)) stay.abandon('client-left');
  }

  async #route(pod: Pod, ask: AdmitAsk): Promise<{ stay: Stay; pod: Pod } | string> {
    const first = await pod.keeper.admit(ask);
    if (first.kind === 'here') return { stay: first.stay, pod };
    if (first.kind === 'refused') return first.reason;
    const owner = this.#pods.find((other) => other.uid === first.owner.uid)!;
    if (owner.reachable) {
      const second = await owner.keeper.admit({ ...ask, move: undefined, hopped: true, fromGateway: true });
      if (second.kind === 'here') return { stay: second.stay, pod: owner };
    }
    const failed = { epoch: first.epoch, how: 'dead' } as const;
    const third = await pod.keeper.admit({ ...ask, elsewhereFailed: failed });
    return third.kind === 'here' ? { stay: third.stay, pod } : `elsewhere ${owner.uid}, then ${third.kind}`;
  }
}

/** Something goes wrong, or comes back. */
async function disturb(pods: readonly Pod[], random: () => number): Promise<string> {
  const pod = pick(pods, random);
  const dice = random();
  if (dice < 0.06) {
    await pod.restart();
    return `   ${pod.uid} killed and back`;
  }
  if (dice < 0.12) {
    pod.cut();
    return `   ${pod.uid} cut from the store`;
  }
  if (dice < 0.26) {
    await pod.mend();
    return `   ${pod.uid} reaches the store`;
  }
  if (dice < 0.34) {
    pod.reachable = !pod.reachable;
    return `   ${pod.uid} ${pod.reachable ? 'hears' : 'does not hear'} the others`;
  }
  if (dice < 0.5) {
    const call = pick(['take', 'put', 'create', 'confirm', 'release', 'force', 'bury'] as const, random);
    const fault = pick(['lost-reply', 'late'] as const, random);
    const handle = pod.line.next(call, fault);
    if (random() < 0.5) setTimeout(() => void handle.deliver(), 1 + random() * 40).unref();
    return `   ${pod.uid}: next ${call} ${fault}`;
  }
  return '';
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function pick<Item>(items: readonly Item[], random: () => number): Item {
  return items[Math.floor(random() * items.length)]!;
}

/** mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
