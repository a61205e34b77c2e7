/** A listener with proxyProtocol: who may name clients, and what becomes of everybody else. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ManualClock } from '../support/manual-clock.ts';
import { peerRole, toldPeer } from '../support/peer-role.ts';
import { ProxyUnderTest, type UnderTestOptions } from '../support/proxy-under-test.ts';
import type { Peer } from '../support/scripted-peers.ts';
import { until } from '../support/until.ts';

const line = 'PROXY TCP4 192.0.2.7 10.0.0.1 49153 80\r\n';
const request = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n';
const last = 'GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n';

function start(t: TestContext, options: Partial<UnderTestOptions> = {}): Promise<ProxyUnderTest> {
  const trustedProxies = ['127.0.0.0/8'];
  return ProxyUnderTest.start(t, { role: peerRole(), trustedProxies, place: { proxyProtocol: true }, ...options });
}

async function answered(client: Peer): Promise<string> {
  const head = await client.takes('\r\n\r\n');
  assert.match(head, /^HTTP\/1\.1 200 /);
  return client.takes('}');
}

test('the header names the client, whether it comes with the first request or byte by byte', async (t) => {
  const under = await start(t);
  const together = await under.client();
  together.send(line + request + last);
  for (let count = 0; count < 2; count++) {
    assert.deepEqual(toldPeer(await answered(together)), { address: '192.0.2.7', secure: false, trusted: false });
  }
  assert.equal(await together.over(), 'fin');
  const dripping = await under.client();
  for (const byte of line + last) {
    dripping.send(byte);
    // A read of its own for each: the loop of the proxy, which is ours, runs in between.
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(toldPeer(await answered(dripping)), { address: '192.0.2.7', secure: false, trusted: false });
  assert.deepEqual(
    under.lines.map(({ client }) => client),
    ['192.0.2.7', '192.0.2.7', '192.0.2.7'],
  );
  assert.deepEqual([under.notTaken, under.faults], [[], []]);
});

test('whether X-Forwarded-* are believed follows from the client that is named, not from who names it', async (t) => {
  const under = await start(t);
  const cases = [
    ['PROXY TCP4 127.0.0.9 10.0.0.1 1 2\r\n', { address: '127.0.0.9', secure: false, trusted: true }],
    ['PROXY UNKNOWN\r\n', { address: '127.0.0.1', secure: false, trusted: false }],
    ['\r\n\r\n\0\r\nQUIT\n\x20\0\0\0', { address: '127.0.0.1', secure: false, trusted: true }],
  ] as const;
  for (const [header, expected] of cases) {
    const client = await under.client();
    client.send(header + last);
    assert.deepEqual(toldPeer(await answered(client)), expected);
  }
});

test('a connection from elsewhere than trustedProxies is closed, whatever it says', async (t) => {
  const under = await start(t, { trustedProxies: ['10.0.0.0/8'] });
  const client = await under.client();
  client.send(line + request);
  await client.over();
  assert.equal(client.received, '');
  assert.deepEqual(
    under.notTaken.map(({ reason, client: from }) => [reason, from]),
    [['untrusted-proxy-header', '127.0.0.1']],
  );
  assert.equal(under.proxy.connections, 0);
});

test('a connection without a header, or with a bad one, is closed without an answer', async (t) => {
  const under = await start(t);
  for (const bytes of [request, 'PROXY TCP4 nowhere 10.0.0.1 1 2\r\n', '\x16\x03\x01\x02\0']) {
    const client = await under.client();
    client.send(bytes);
    await client.over();
    assert.equal(client.received, '');
  }
  assert.deepEqual(
    under.notTaken.map(({ reason }) => reason),
    ['bad-proxy-header', 'bad-proxy-header', 'bad-proxy-header'],
  );
});

test('who connects and leaves again without a word, as probes do, is nothing to tell of', async (t) => {
  const under = await start(t);
  const client = await under.client();
  client.end();
  await client.over();
  const reset = await under.client();
  reset.reset();
  await until('both have left', () => under.proxy.connections === 0);
  assert.deepEqual([under.notTaken, under.lines, under.faults], [[], [], []]);
});

test('a header takes as long as a request head at most', async (t) => {
  const clock = new ManualClock();
  const under = await start(t, { clock, timeouts: { headMs: 3000 } });
  const [silent, slow] = [await under.client(), await under.client()];
  slow.send('PROXY TCP4 ');
  await until('both are on their way in', () => under.proxy.connections === 2);
  // The slow one's beginning has been read once a later connection was served.
  const other = await under.client();
  other.send(line + last);
  await answered(other);
  clock.advance(2999);
  assert.deepEqual([silent.ended, slow.ended], [undefined, undefined]);
  clock.advance(1);
  await Promise.all([silent.over(), slow.over()]);
  assert.deepEqual(
    under.notTaken.map(({ reason, detail }) => [reason, detail]),
    [['bad-proxy-header', 'it took too long']],
  );
});

test('who has not shown a header counts in limits.connections, and does not keep a drain waiting', async (t) => {
  const under = await start(t, { limits: { connections: 1 } });
  const first = await under.client();
  await until('it is on its way in', () => under.proxy.connections === 1);
  const second = await under.client();
  await second.takes('503');
  assert.equal(under.turnedAway.count, 1);
  await under.proxy.drain({ delayMs: 0, boundMs: 60_000 });
  await first.over();
});
