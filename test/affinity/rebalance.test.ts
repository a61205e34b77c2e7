import assert from 'node:assert/strict';
import test from 'node:test';

import { Rebalance } from '../../src/affinity/rebalance.ts';
import type { SessionId } from '../../src/affinity/session-codec.ts';
import { emptyPodSet, type PodSet, withPods, withState } from '../../src/pods/pod-set.ts';

const names = ['a', 'b', 'c', 'd', 'e'];

function podsNamed(...all: readonly string[]): PodSet {
  const listed = all.map((name) => ({ name, uid: `uid-${name}`, address: { host: '127.0.0.1', port: 80 } }));
  return withPods(
    emptyPodSet(() => []),
    listed,
  );
}

/** A cluster in which every session is used in turn, a thousand requests a second, through gateways that don't talk. */
class Cluster {
  readonly pods: PodSet;
  readonly homes = new Map<SessionId, string>();
  readonly gateways: Rebalance[] = [];
  nowMs = 1_000_000;
  /** Owners that keep all their sessions. */
  keeps = false;
  #said = new Map<string, { readonly active: number }>();
  #request = 0;

  constructor(pods: PodSet, counts: Readonly<Record<string, number>>, gateways: number) {
    this.pods = pods;
    for (const [name, count] of Object.entries(counts))
      for (let index = 0; index < count; index++) this.homes.set(`session-${name}-${index}` as SessionId, name);
    for (let index = 0; index < gateways; index++)
      this.gateways.push(new Rebalance({ saidBy: (name) => this.#said.get(name), slowStartMs: 0 }));
    this.hear();
  }

  get counts(): number[] {
    return this.pods.pods.map(({ name }) => [...this.homes.values()].filter((home) => home === name).length);
  }

  hear(): void {
    this.pods.pods.forEach(({ name }, index) => this.#said.set(name, { active: this.counts[index]! }));
  }

  /** Seconds of requests; every two seconds each pod is asked. @returns how many sessions moved. */
  run(seconds: number): number {
    const all = [...this.homes.keys()];
    let moves = 0;
    for (let ms = 0; ms < seconds * 1000; ms++) {
      this.nowMs++;
      if (this.nowMs % 2000 === 0) this.hear();
      const session = all[(this.#request * 7919) % all.length]!;
      const gateway = this.gateways[this.#request++ % this.gateways.length]!;
      const home = this.pods.byName.get(this.homes.get(session)!)!;
      const target = gateway.target(session, home, this);
      if (target === undefined) continue;
      gateway.settled(home.name, !this.keeps, this.nowMs);
      if (this.keeps) continue;
      this.homes.set(session, target.name);
      moves++;
    }
    return moves;
  }
}

for (const gateways of [1, 4]) {
  test(`three pods become five: ${gateways} gateways even them out, and then leave them alone`, () => {
    const cluster = new Cluster(podsNamed(...names), { a: 200, b: 200, c: 200 }, gateways);
    const moves = cluster.run(60);
    const average = 120;
    for (const count of cluster.counts) assert.ok(count <= average * 1.1 + 2, String(cluster.counts));
    assert.ok(Math.min(...cluster.counts) >= average * 0.8, String(cluster.counts));
    assert.ok(moves <= 240 * 1.1, `${moves} moves, and 240 are needed`);
    assert.equal(cluster.run(20), 0);
  });
}

test('no pod is emptied below the average by gateways that do not know of each other', () => {
  const cluster = new Cluster(podsNamed(...names), { a: 100, b: 100, c: 100 }, 4);
  let least = Infinity;
  for (let second = 0; second < 40; second++) {
    cluster.run(1);
    least = Math.min(least, ...cluster.counts.slice(0, 3));
  }
  assert.ok(least >= 50, `${least} of an average of 60`);
});

test('even numbers stay, within a tenth and two sessions', () => {
  assert.equal(new Cluster(podsNamed('a', 'b', 'c'), { a: 100, b: 100, c: 100 }, 1).run(10), 0);
  assert.equal(new Cluster(podsNamed('a', 'b', 'c'), { a: 108, b: 100, c: 92 }, 1).run(10), 0);
  assert.equal(new Cluster(podsNamed('a', 'b', 'c'), { a: 2, b: 0, c: 0 }, 1).run(10), 0);
});

test('at most fifty sessions a second move, and ten at once', () => {
  const cluster = new Cluster(podsNamed('a', 'b'), { a: 5000 }, 1);
  assert.ok(cluster.run(1) <= 60);
  assert.ok(cluster.run(1) <= 50);
});

test('all gateways send a session to the same pod', () => {
  const said = new Map(names.map((name) => [name, { active: name === 'a' ? 100 : 0 }]));
  const pods = podsNamed(...names);
  const [one, other] = [0, 1].map(() => new Rebalance({ saidBy: (name) => said.get(name), slowStartMs: 0 }));
  const at = { pods, nowMs: 1000 };
  for (let index = 0; index < 10; index++) {
    const session = `session-${index}` as SessionId;
    const home = pods.byName.get('a')!;
    assert.equal(one!.target(session, home, at)?.name, other!.target(session, home, at)?.name);
  }
});

test('an owner that keeps its sessions is asked less and less', () => {
  const cluster = new Cluster(podsNamed('a', 'b'), { a: 1000 }, 1);
  cluster.keeps = true;
  cluster.run(30);
  const { kept, moved } = cluster.gateways[0]!.counters;
  assert.equal(moved, 0);
  assert.ok(kept <= 9, `${kept} requests made a detour in half a minute`);
});

test('only pods whose sidecars take part, are ready and have had their slow start get any', () => {
  const said = new Map<string, { active?: number }>([
    ['a', { active: 100 }],
    ['b', {}],
    ['c', { active: 0 }],
  ]);
  const pods = podsNamed('a', 'b', 'c', 'd');
  const at = { nowMs: 1000, warm: false };
  const targets = (set: PodSet, nowMs: number): Set<string | undefined> => {
    const rebalance = new Rebalance({ saidBy: (name) => said.get(name), slowStartMs: 10_000 });
    const sessions = Array.from({ length: 8 }, (_, index) => `session-${index}` as SessionId);
    return new Set(sessions.map((each) => rebalance.target(each, set.byName.get('a')!, { pods: set, nowMs })?.name));
  };
  assert.deepEqual(targets(pods, 1000), new Set(['c']));
  const away = withState(pods, 'c', { state: 'unhealthy', why: 'test' }, at);
  assert.deepEqual(targets(away, 1000), new Set([undefined]));
  const cold = withState(away, 'c', { state: 'ready', why: 'test' }, at);
  assert.deepEqual(targets(cold, 2000), new Set([undefined]));
  assert.deepEqual(targets(cold, 12_000), new Set(['c']));
  const alone = withState(pods, 'a', { state: 'draining', why: 'test' }, at);
  assert.deepEqual(targets(alone, 1000), new Set([undefined]), 'a home that goes away is no matter of even numbers');
});
