import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type AttemptFacts, decideRetry, RetryBudget, RetryTrail } from '../../src/proxy/retry.ts';

const stale: AttemptFacts = {
  loss: 'lost',
  method: 'GET',
  reusedConnection: true,
  responseSeen: false,
  bodyKept: true,
  connectTimeouts: 0,
  replayed: 'no',
  inTime: true,
};

function decided(facts: Partial<AttemptFacts>): string {
  return decideRetry({ ...stale, ...facts }).kind;
}

test('a stale connection is replayed for GET, HEAD and OPTIONS only, once, before a byte of a response', () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS']) assert.equal(decided({ method }), 'replay');
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'get']) assert.equal(decided({ method }), 'give-up');
  assert.equal(decided({ reusedConnection: false }), 'give-up');
  assert.equal(decided({ responseSeen: true }), 'give-up');
  for (const replayed of ['stillborn', 'perhaps-executed'] as const) assert.equal(decided({ replayed }), 'give-up');
});

test('a request of which nothing left is sent to the same pod once more, any method, and then wherever it is refused', () => {
  assert.equal(decided({ loss: 'unwritten', method: 'POST' }), 'replay');
  assert.equal(decided({ loss: 'unwritten', method: 'POST', reusedConnection: false }), 'next-candidate');
  const trail = new RetryTrail(new RetryBudget(), 0);
  const facts = { ...stale, method: 'POST', lostAfterMs: 4, nowMs: 5, boundMs: 1000, inFlight: 1 };
  assert.equal(trail.next({ ...facts, loss: 'unwritten' }), 'replay');
  assert.equal(trail.replayed, false);
  assert.equal(trail.next({ ...facts, loss: 'refused', reusedConnection: false }), 'next-candidate');
  trail.end();
});

test('a refused connection and an `unsent` answer go to the next candidate, any method', () => {
  for (const loss of ['refused', 'unsent', 'overloaded'] as const) {
    assert.equal(decided({ loss, method: 'POST', responseSeen: loss !== 'refused' }), 'next-candidate');
  }
});

test('what a pod may have executed before it died is sent nowhere else, not even where its second try is refused', () => {
  for (const loss of ['refused', 'connect-timeout', 'lost', 'unwritten', 'unsent', 'overloaded'] as const) {
    assert.equal(decided({ loss, replayed: 'perhaps-executed' }), 'give-up');
  }
});

test('what was written to a connection that was dead already goes to the next pod when its own refuses', () => {
  const budget = new RetryBudget();
  for (const [lostAfterMs, next] of [
    [0.4, 'next-candidate'],
    [4, 'give-up'],
  ] as const) {
    const trail = new RetryTrail(budget, 0);
    const facts = { ...stale, lostAfterMs, nowMs: 5, boundMs: 1000, inFlight: 1 };
    assert.equal(trail.next(facts), 'replay');
    assert.equal(trail.next({ ...facts, loss: 'refused' }), next);
    trail.end();
  }
});

test('at most three candidates may time out connecting', () => {
  assert.equal(decided({ loss: 'connect-timeout', connectTimeouts: 2 }), 'next-candidate');
  assert.equal(decided({ loss: 'connect-timeout', connectTimeouts: 3 }), 'give-up');
});

test('nothing is tried again without the whole body, or after the bound', () => {
  for (const loss of ['refused', 'connect-timeout', 'lost', 'unwritten', 'unsent', 'overloaded'] as const) {
    assert.equal(decided({ loss, bodyKept: false }), 'give-up');
    assert.equal(decided({ loss, inTime: false }), 'give-up');
  }
});

test('replays and overloaded ones are bounded by a fifth of what is in flight, and at least ten; refusals are not', () => {
  const budget = new RetryBudget();
  const facts = { ...stale, lostAfterMs: 0, nowMs: 1, boundMs: 1000 };
  const trails = Array.from({ length: 40 }, () => new RetryTrail(budget, 0));
  const replays = (inFlight: number): number =>
    trails.filter((trail) => trail.next({ ...facts, inFlight }) === 'replay').length;
  assert.equal(replays(10), 10);
  for (const trail of trails) trail.end();
  assert.equal(budget.retries, 0);
  const others = Array.from({ length: 40 }, () => new RetryTrail(budget, 0));
  assert.equal(others.filter((trail) => trail.next({ ...facts, inFlight: 100 }) === 'replay').length, 20);
  const refused = new RetryTrail(budget, 0);
  for (let times = 0; times < 100; times++) {
    assert.equal(refused.next({ ...facts, loss: 'refused', inFlight: 1 }), 'next-candidate');
  }
  refused.end();
  assert.equal(budget.retries, 20);
});
