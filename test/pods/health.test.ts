import assert from 'node:assert/strict';
import test from 'node:test';
import { fc } from '../support/properties.ts';
import { afterEvent, isSilent, newHealth, verdictOf, type HealthEvent, type PodHealth } from '../../src/pods/health.ts';

const rules = { fails: 2, passes: 2 };
const failed: HealthEvent = { kind: 'probe-failed', why: 'no answer' };
const passed: HealthEvent = { kind: 'probe-passed' };
const refused: HealthEvent = { kind: 'refused' };
const connected: HealthEvent = { kind: 'connected' };

function after(events: readonly HealthEvent[], { from = newHealth, nowMs = 1000 } = {}): PodHealth {
  return events.reduce((health, event) => afterEvent(health, event, { rules, nowMs }), from);
}

const stateOf = (health: PodHealth, nowMs = 1000) => verdictOf(health, nowMs).state;

test('a new pod is ready', () => {
  assert.equal(stateOf(newHealth), 'ready');
});

test('as many failed probes in a row as configured make a pod unhealthy', () => {
  assert.equal(stateOf(after([failed])), 'ready');
  assert.equal(stateOf(after([failed, passed, failed])), 'ready');
  const verdict = verdictOf(after([failed, failed]), 1000);
  assert.deepEqual(verdict, { state: 'unhealthy', why: 'probe failed: no answer' });
});

test('as many passed probes in a row as configured make it ready again', () => {
  assert.equal(stateOf(after([failed, failed, passed])), 'unhealthy');
  assert.equal(stateOf(after([failed, failed, passed, failed, passed])), 'unhealthy');
  assert.equal(stateOf(after([failed, failed, passed, passed])), 'ready');
});

test('refused connections in a row eject a pod at once, and it is tried again later', () => {
  assert.equal(stateOf(after([refused])), 'ready');
  assert.equal(stateOf(after([refused, connected, refused])), 'ready');
  const ejected = after([refused, refused]);
  assert.equal(stateOf(ejected, 1999), 'unhealthy');
  assert.equal(stateOf(ejected, 2000), 'ready');
});

test('each refusal after an ejection ejects for twice as long, up to half a minute', () => {
  let health = after([refused, refused]);
  const lasted: number[] = [];
  for (let round = 0; round < 8; round++) {
    const nowMs = health.ejectedUntilMs;
    health = after([refused], { from: health, nowMs });
    lasted.push(health.ejectedUntilMs - nowMs);
  }
  assert.deepEqual(lasted, [2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000]);
});

test('connections that were under way when a pod was ejected do not prolong it', () => {
  const ejected = after([refused, refused]);
  assert.equal(after([refused, refused, refused], { from: ejected, nowMs: 1500 }), ejected);
});

test('a connection or a passed probe forgets refusals', () => {
  for (const event of [connected, passed]) {
    const health = after([refused, refused, event]);
    assert.equal(stateOf(health), 'ready');
    assert.equal(stateOf(after([refused], { from: health })), 'ready');
  }
});

test('a connection does not make good for failed probes', () => {
  assert.equal(stateOf(after([failed, failed, connected])), 'unhealthy');
});

test('a draining pod is draining, healthy or not, until it says otherwise', () => {
  const draining: HealthEvent = { kind: 'draining', why: 'terminating' };
  assert.deepEqual(verdictOf(after([draining]), 0), { state: 'draining', why: 'terminating' });
  assert.equal(stateOf(after([failed, failed, draining])), 'draining');
  assert.equal(stateOf(after([draining, { kind: 'not-draining' }])), 'ready');
});

test('what changes nothing costs no memory', () => {
  for (const event of [passed, connected, { kind: 'not-draining' }] as const) {
    assert.equal(after([event]), newHealth);
  }
});

test('whatever happened, passed probes and silence make a pod ready again', () => {
  const event = fc.constantFrom<HealthEvent>(failed, passed, refused, connected);
  fc.assert(
    fc.property(fc.array(fc.tuple(event, fc.nat(5000))), (events) => {
      let nowMs = 0;
      let health = newHealth;
      for (const [each, waited] of events) health = afterEvent(health, each, { rules, nowMs: (nowMs += waited) });
      assert.ok(health.ejectedUntilMs <= nowMs + 30_000);
      assert.equal(stateOf(after([passed, passed], { from: health, nowMs }), nowMs), 'ready');
    }),
  );
});

test('a pod is silent after as many probes without a word as make it unhealthy, until it says one', () => {
  const silent: HealthEvent = { kind: 'probe-failed', why: 'timeout', silent: true };
  const isSilentAfter = (events: readonly HealthEvent[]): boolean => isSilent(after(events), rules);
  assert.equal(isSilentAfter([silent]), false);
  assert.equal(isSilentAfter([silent, silent]), true);
  assert.equal(isSilentAfter([silent, silent, silent]), true);
  assert.equal(isSilentAfter([silent, failed]), false, 'a word that it fails is a word');
  assert.equal(isSilentAfter([failed, failed, silent]), false, 'unhealthy, and not silent for long');
  assert.equal(isSilentAfter([silent, failed, silent]), false);
  assert.equal(isSilentAfter([silent, passed, silent]), false);
  assert.equal(isSilentAfter([silent, silent, passed]), false);
  assert.equal(isSilentAfter([silent, silent, passed, silent]), false);
  assert.equal(isSilentAfter([refused, refused, refused]), false, 'who refuses is there');
});
