/** Every wait ends, with the status that says whose silence it was. Time stands still until the test moves it. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { ManualClock } from '../support/manual-clock.ts';
import { ProxyUnderTest } from '../support/proxy-under-test.ts';
import { type Peer, ScriptedPod } from '../support/scripted-peers.ts';
import { ScriptedRole, type ScriptedRoleOptions } from '../support/scripted-role.ts';
import { silentAddress } from '../support/silent-listener.ts';
import { until } from '../support/until.ts';

async function started(
  t: TestContext,
  options: Partial<ScriptedRoleOptions> = {},
): Promise<{ pod: ScriptedPod; clock: ManualClock; under: ProxyUnderTest; client: Peer; role: ScriptedRole }> {
  const pod = await ScriptedPod.start(t);
  const clock = new ManualClock();
  const role = new ScriptedRole({ candidates: [pod.address], ...options });
  const under = await ProxyUnderTest.start(t, { role, clock });
  const client = await under.client();
  await until('the connection is accepted', () => under.proxy.connections === 1);
  return { pod, clock, under, client, role };
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

test('head: a request head that is not complete in time is 408', async (t) => {
  const { client, clock, under } = await started(t);
  clock.advance(5000);
  client.send('GET / HTTP/1.1\r\nHo');
  await under.quiet();
  clock.advance(9_999);
  client.send('st');
  await under.quiet();
  assert.equal(client.received, '');
  clock.advance(1);
  assert.match(await client.takes('(head-timeout)\n'), /^HTTP\/1\.1 408 /);
  assert.equal(await client.over(), 'fin');
});

test('head: a connection that never sends a byte is closed without a word', async (t) => {
  const { client, clock } = await started(t);
  clock.advance(10_000);
  assert.equal(await client.over(), 'fin');
  assert.equal(client.received, '');
});

test('keepAlive: a connection idle between requests is closed without a word', async (t) => {
  const { client, clock, pod, under } = await started(t);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  (await pod.request()).peer.send(ok);
  await client.reads(ok);
  clock.advance(74_999);
  await under.quiet();
  assert.equal(client.ended, undefined);
  clock.advance(1);
  assert.equal(await client.over(), 'fin');
  assert.equal(client.received, '');
});

test('response: a pod that takes the request and stays silent is 504, and never asked again', async (t) => {
  const { client, clock, pod, under } = await started(t, { marksOwnAnswers: true });
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab');
  const { peer } = await pod.request();
  await peer.reads('ab');
  clock.advance(59_999);
  client.send('cd');
  await peer.reads('cd');
  clock.advance(59_999);
  await under.quiet();
  assert.equal(client.received, '', 'it runs from the last byte of the request');
  clock.advance(1);
  const answer = await client.takes('(upstream-response-timeout)\n');
  assert.match(answer, /^HTTP\/1\.1 504 [^]*x-holdfast-own: sent; upstream-response-timeout/);
  await peer.over();
  assert.equal(pod.peers.length, 1);
});

test('bodyIdle: a request body that stops is 408', async (t) => {
  const { client, clock, pod } = await started(t);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab');
  const { peer } = await pod.request();
  await peer.reads('ab');
  clock.advance(60_000);
  assert.match(await client.takes('(request-body-timeout)\n'), /^HTTP\/1\.1 408 /);
  await peer.over();
});

test('bodyIdle: an answer that stops is cut; each byte gives it the whole time again', async (t) => {
  const { client, clock, pod, under } = await started(t);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const { peer } = await pod.request();
  peer.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n');
  await client.takes('\r\n\r\n');
  for (const byte of 'abc') {
    clock.advance(59_999);
    peer.send(byte);
    await client.reads(byte);
  }
  clock.advance(60_000);
  await client.over();
  assert.equal((await under.line()).reason, 'upstream-body-timeout');
});

test('bodyIdle: a client that stops reading is cut, and the pod is not blamed', async (t) => {
  const { client, clock, pod, under } = await started(t);
  client.socket.pause();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const { peer } = await pod.request();
  peer.send(`HTTP/1.1 200 OK\r\nContent-Length: 90000000\r\n\r\n`);
  const piece = Buffer.alloc(1_000_000);
  let waits = false;
  for (let sent = 0; sent < 80 && !waits; sent++) {
    peer.socket.write(piece);
    // Until nothing moves any more: what waits at a busy proxy would be the pod's turn, not the client's.
    for (let before = -1; before !== peer.socket.writableLength;) {
      before = peer.socket.writableLength;
      await under.quiet();
    }
    waits = peer.socket.writableLength > 8_000_000;
  }
  assert.ok(waits, 'the pod is stopped by the slow client');
  clock.advance(60_000);
  assert.equal((await under.line()).reason, 'client-stalled');
});

test('bodyIdle: a client that pipelines and reads no answer is closed', async (t) => {
  const answer = { status: 200, fields: [], body: 'x'.repeat(16_000), reason: undefined };
  const { client, clock, under, role } = await started(t, { next: () => ({ kind: 'answer', answer }) });
  client.socket.pause();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2000));
  let seen = -1;
  while (role.requests.length > seen) {
    seen = role.requests.length;
    await under.quiet();
  }
  assert.ok(seen > 0 && seen < 2000, 'the next request waits for the last answer to leave');
  clock.advance(60_000);
  clock.advance(5000);
  await until('the connection is closed', () => under.proxy.connections === 0);
});

test('tunnelIdle: a silent tunnel ends, one with traffic does not', async (t) => {
  const { client, clock, pod, under } = await started(t);
  client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
  const { peer } = await pod.request();
  peer.send('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n');
  await client.takes('\r\n\r\n');
  for (const [from, to] of [
    [client, peer],
    [peer, client],
  ] as const) {
    clock.advance(3_599_999);
    from.send('x');
    await to.reads('x');
  }
  clock.advance(3_600_000);
  await client.over();
  await peer.over();
  assert.equal((await under.line()).reason, 'tunnel-idle');
});

test('connect: a candidate that does not take the connection in time is 504; three of them are enough', async (t) => {
  const silent = await silentAddress(t);
  const clock = new ManualClock();
  const role = new ScriptedRole({ candidates: [silent, silent, silent, silent], connectTimeoutMs: 1000 });
  const under = await ProxyUnderTest.start(t, { role, clock });
  const client = await under.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  for (const failures of [0, 1, 2]) {
    await until('the next candidate is asked', () => role.failures.length === failures && under.pool.openCount === 1);
    await under.quiet();
    clock.advance(1000);
  }
  assert.match(await client.takes(')\n'), /^HTTP\/1\.1 504 [^]*\(upstream-connect-timeout\)\n$/);
  assert.equal(role.failures.length, 2);
});
