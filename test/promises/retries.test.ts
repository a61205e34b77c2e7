/** Another attempt is made where it is safe, and only there (rules 19, 20). */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { Address } from '../../src/base/address.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { freePort } from '../support/free-port.ts';
import { ProxyUnderTest } from '../support/proxy-under-test.ts';
import { type Peer, ScriptedPod } from '../support/scripted-peers.ts';
import { ScriptedRole, type ScriptedRoleOptions } from '../support/scripted-role.ts';
import { until } from '../support/until.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

test('a refused connection goes to the next candidate, any method, with its whole body', async (t) => {
  const pod = await ScriptedPod.start(t);
  const dead = { host: '127.0.0.1', port: await freePort() };
  const role = new ScriptedRole({ candidates: [dead, dead, dead, dead, pod.address] });
  const under = await ProxyUnderTest.start(t, { role });
  const client = await under.client();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc');
  const { peer } = await pod.request();
  await peer.reads('abc');
  client.send('def');
  await peer.reads('def');
  peer.send(ok);
  await client.reads(ok);
  assert.deepEqual(
    role.failures.map(({ reason, unsent }) => [reason, unsent]),
    Array.from({ length: 4 }, () => ['upstream-refused', undefined]),
  );
  assert.deepEqual((await under.line()).tried, ['pod-1', 'pod-2', 'pod-3', 'pod-4', 'pod-5']);
});

test('when no candidate is left the client is told so', async (t) => {
  const dead = { host: '127.0.0.1', port: await freePort() };
  const role = new ScriptedRole({ candidates: [dead], marksOwnAnswers: true });
  const under = await ProxyUnderTest.start(t, { role });
  const client = await under.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const answer = await client.takes('(upstream-refused)\n');
  assert.match(answer, /^HTTP\/1\.1 502 [^]*\r\nx-holdfast-own: unsent; upstream-refused\r\n/);
  assert.deepEqual(role.ends, [{ reason: 'upstream-refused', status: 502, sent: false, answerComplete: false }]);
});

/** A pod connection that has served one exchange and is idle, and a client ready for the next. */
async function idle(
  t: TestContext,
  options: Partial<ScriptedRoleOptions> & { readonly others?: readonly Address[] } = {},
): Promise<{
  pod: ScriptedPod;
  peer: Peer;
  client: Peer;
  under: ProxyUnderTest;
  role: ScriptedRole;
  clock: ManualClock;
}> {
  const pod = await ScriptedPod.start(t);
  const clock = new ManualClock();
  const role = new ScriptedRole({ ...options, candidates: [pod.address, ...(options.others ?? [])] });
  const under = await ProxyUnderTest.start(t, { role, clock });
  const client = await under.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const { peer } = await pod.request();
  peer.send(ok);
  await client.reads(ok);
  await until('the connection is idle', () => under.pool.idleCount === 1);
  return { pod, peer, client, under, role, clock };
}

for (const method of ['GET', 'HEAD', 'OPTIONS']) {
  test(`${method} on a connection that had gone stale is sent once more, on a new one`, async (t) => {
    const { pod, peer, client, under } = await idle(t);
    client.send(`${method} /again HTTP/1.1\r\nHost: a\r\n\r\n`);
    await peer.takes('\r\n\r\n');
    peer.reset();
    const second = await pod.request();
    assert.match(second.head, new RegExp(`^${method} /again `));
    second.peer.send('HTTP/1.1 204 No Content\r\n\r\n');
    await client.reads('HTTP/1.1 204 No Content\r\n\r\n');
    assert.equal((await under.line(2)).replayed, true);
  });
}

test('what the kernel never took of a request is sent anew, whatever its method and whoever it is sent to', async (t) => {
  for (const [method, closing] of [
    ['POST', 'reset'],
    ['POST', 'end'],
    ['GET', 'reset'],
  ] as const) {
    const next = await ScriptedPod.start(t);
    const { pod, peer, client, under } = await idle(t, { others: [next.address] });
    // Both are ready in the proxy's next turn, the request first: it waits for the end of that turn.
    client.send(`${method} /again HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody`);
    peer[closing]();
    pod.refuse();
    const second = await next.request();
    assert.match(second.head, new RegExp(`^${method} /again `));
    await second.peer.reads('body');
    second.peer.send(ok);
    await client.reads(ok);
    assert.deepEqual((await under.line(2)).tried, ['pod-1', 'pod-2']);
    assert.equal(peer.received, '');
  }
});

test('once only: a new connection that is lost too is 502', async (t) => {
  const { pod, peer, client } = await idle(t, { marksOwnAnswers: true });
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await peer.takes('\r\n\r\n');
  peer.end();
  const second = await pod.request();
  second.peer.end();
  assert.match(
    await client.takes('(upstream-reset)\n'),
    /^HTTP\/1\.1 502 [^]*x-holdfast-own: sent; upstream-reset\r\n/,
  );
  assert.equal(pod.peers.length, 2);
});

test('no retry after a byte of a response', async (t) => {
  const { pod, peer, client } = await idle(t);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await peer.takes('\r\n\r\n');
  peer.send('H');
  peer.end();
  assert.match(await client.takes('(upstream-reset)\n'), /^HTTP\/1\.1 502 /);
  assert.equal(pod.peers.length, 1);
});

test('POST is never sent twice, and takes only a connection that was in use within the last second', async (t) => {
  const { pod, peer, client, under, clock } = await idle(t);
  clock.advance(999);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
  await peer.takes('\r\n\r\n');
  peer.send(ok);
  await client.reads(ok);
  await until('the connection is idle', () => under.pool.idleCount === 1);
  clock.advance(1000);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
  const second = await pod.request();
  assert.equal(peer.received, '');
  second.peer.reset();
  assert.match(await client.takes('(upstream-reset)\n'), /^HTTP\/1\.1 502 /);
  assert.equal(pod.peers.length, 2);
});

test('a connection idle for upstreamIdle is closed and not used again', async (t) => {
  const { pod, peer, client, under, clock } = await idle(t);
  clock.advance(4000);
  assert.equal(under.pool.idleCount, 0);
  await peer.over();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  (await pod.request()).peer.send(ok);
  await client.reads(ok);
});

/** Two pods behind sidecars: `x-holdfast-own: unsent; ...` is an answer to try elsewhere. */
async function behindSidecars(
  t: TestContext,
): Promise<{ pods: [ScriptedPod, ScriptedPod]; client: Peer; under: ProxyUnderTest; role: ScriptedRole }> {
  const pods: [ScriptedPod, ScriptedPod] = [await ScriptedPod.start(t), await ScriptedPod.start(t)];
  const role = new ScriptedRole({
    candidates: pods.map(({ address }) => address),
    answered: (head) => {
      const own = head.fields.find(({ lower }) => lower === 'x-holdfast-own')?.value;
      return own?.startsWith('unsent; ') === true
        ? { kind: 'unsent', detail: own.slice(8) }
        : { kind: 'pass', hold: 'none', fields: [] };
    },
  });
  const under = await ProxyUnderTest.start(t, { role, limits: { replayBytes: 4 } });
  return { pods, role, under, client: await under.client() };
}

const draining = 'HTTP/1.1 503 Service Unavailable\r\nx-holdfast-own: unsent; draining\r\nContent-Length: 0\r\n\r\n';

test('what a sidecar answered `unsent` goes to the next candidate, its body too', async (t) => {
  const { pods, client, role } = await behindSidecars(t);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd');
  (await pods[0].request()).peer.send(draining);
  const { peer } = await pods[1].request();
  await peer.reads('abcd');
  peer.send(ok);
  await client.reads(ok);
  assert.deepEqual(
    role.failures.map(({ reason, unsent }) => [reason, unsent]),
    [['draining', 'draining']],
  );
});

test('`unsent` after more than replayBytes of the body is our own 503', async (t) => {
  const { pods, client, role } = await behindSidecars(t);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nabcd');
  const { peer } = await pods[0].request();
  await peer.reads('abcd');
  client.send('efgh');
  await peer.reads('efgh');
  peer.send(draining);
  assert.match(await client.takes('(draining)\n'), /^HTTP\/1\.1 503 [^]*Retry-After: 1/);
  assert.deepEqual(role.ends.at(-1), { reason: 'draining', status: 503, sent: false, answerComplete: false });
  assert.equal(pods[1].peers.length, 0);
});

test("an application's own 5xx is passed on and never retried", async (t) => {
  const { pods, client } = await behindSidecars(t);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  (await pods[0].request()).peer.send('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n');
  await client.reads('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n');
  assert.equal(pods[1].peers.length, 0);
});
