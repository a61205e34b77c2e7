/**
 * A round of chaos is what its seed says, and holds what it promises to hold.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FailoverGaps } from './failover-gaps.ts';
import { faultKind, faultNames } from './faults.ts';
import { planRound } from './schedule.ts';

const seeds = Array.from({ length: 200 }, (_, seed) => seed);
const rounds = seeds.map((seed) => planRound(seed, { steps: 30 }));

function faultsOf(round: (typeof rounds)[number]) {
  return round.steps.flatMap(({ fault, and }) => [fault, ...(and === undefined ? [] : [and.fault])]);
}

test('the same seed plans the same round, another seed another one', () => {
  for (const seed of seeds) assert.deepEqual(planRound(seed, { steps: 30 }), rounds[seed]);
  assert.notDeepEqual({ ...rounds[1], seed: 0 }, { ...rounds[2], seed: 0 });
});

test('every fault, application and front has its turn', () => {
  assert.deepEqual([...new Set(rounds.flatMap(faultsOf))].toSorted(), faultNames.toSorted());
  assert.equal(new Set(rounds.map(({ application, front }) => `${application} ${front}`)).size, 6);
});

test('where nothing may be lost with serve, no pod dies or is cut off while the store is away', () => {
  for (const round of rounds.filter(({ onStoreDown, mayLose }) => onStoreDown === 'serve' && mayLose === 'nothing')) {
    for (const { fault, and } of round.steps) {
      const kinds = [faultKind(fault), ...(and === undefined ? [] : [faultKind(and.fault)])];
      assert.ok(kinds.every(({ cutsOnePod }) => cutsOnePod !== true));
      assert.ok(kinds.length === 1 || kinds.every(({ stopsStore }) => stopsStore !== true));
    }
  }
});

test('two faults at once are at two pods, and never beside a step in order', () => {
  for (const { fault, pod, and } of rounds.flatMap(({ steps }) => steps)) {
    if (and === undefined) continue;
    assert.notEqual(and.pod, pod);
    assert.ok(![fault, and.fault].some((name) => faultKind(name).isOrderly === true));
  }
});

test('with refuse nothing may be lost, and a plain Service is always with refuse', () => {
  for (const { front, onStoreDown, mayLose } of rounds) {
    if (front === 'service') assert.equal(onStoreDown, 'refuse');
    if (onStoreDown === 'refuse') assert.equal(mayLose, 'nothing');
  }
});

test('the gap of a failover runs from the first request that met the loss to the first good answer', () => {
  const gaps = new FailoverGaps();
  gaps.lost('refused', [1, 2]);
  const lostMs = performance.now();
  gaps.observe({ user: 1, startMs: lostMs + 100, endMs: lostMs + 110, isAnswered: false });
  gaps.observe({ user: 1, startMs: lostMs + 140, endMs: lostMs + 150, isAnswered: true });
  gaps.observe({ user: 1, startMs: lostMs + 200, endMs: lostMs + 900, isAnswered: true });
  gaps.observe({ user: 3, startMs: lostMs + 1, endMs: lostMs + 500, isAnswered: true });
  gaps.over();
  gaps.observe({ user: 2, startMs: lostMs + 1000, endMs: lostMs + 2000, isAnswered: true });
  assert.deepEqual(gaps.figures('refused'), { count: 1, p50Ms: 50, p99Ms: 50, maxMs: 50 });
  assert.equal(gaps.figures('black-holed').count, 0);
});
