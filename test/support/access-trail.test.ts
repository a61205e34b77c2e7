/**
 * The access trail finds the lines of a user's requests and of its sessions, whatever pieces they come in.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccessTrail } from './access-trail.ts';

function line(of: {
  readonly user: number;
  readonly pod: string;
  readonly session: string;
  readonly status?: number;
}): string {
  const { user, pod, session, status = 200 } = of;
  const time = new Date().toISOString();
  return `${JSON.stringify({ time, msg: 'access', path: `/inc?r=u${user}-7`, status, pod, session })}\n`;
}

test('a line in pieces is one line, and the last good answer names the pod', () => {
  const trail = new AccessTrail();
  const text = line({ user: 3, pod: 'pod-b', session: 'abc' });
  trail.tap('gateway-1', text.slice(0, 30));
  assert.equal(trail.podOf(3), undefined);
  trail.tap('gateway-1', text.slice(30));
  assert.equal(trail.podOf(3), 'pod-b');
  trail.tap('gateway-1', line({ user: 3, pod: 'pod-c', session: 'abc', status: 502 }));
  trail.tap('pod-a-sidecar', line({ user: 3, pod: 'pod-a', session: 'abc' }));
  assert.equal(trail.podOf(3), 'pod-b');
});

test('about a user: its own requests, the words about its sessions and about nobody, not those about others', () => {
  const trail = new AccessTrail();
  const time = new Date().toISOString();
  trail.tap('gateway-1', line({ user: 3, pod: 'pod-b', session: 'abc' }));
  trail.tap('gateway-1', line({ user: 4, pod: 'pod-b', session: 'def' }));
  trail.tap('pod-b-sidecar', `${JSON.stringify({ time, session: 'abc', msg: 'refused' })}\n`);
  trail.tap('pod-b-sidecar', `${JSON.stringify({ time, session: 'def', msg: 'refused' })}\n`);
  trail.tap('pod-b-sidecar', `${JSON.stringify({ time, msg: 'the store is down' })}\n`);
  const about = trail.about(3, Date.now() - 60_000);
  assert.deepEqual(
    about.map((words) => /u3-7|"session":"\w+","msg"|the store is down/.exec(words)?.[0]),
    ['u3-7', '"session":"abc","msg"', 'the store is down'],
  );
});
