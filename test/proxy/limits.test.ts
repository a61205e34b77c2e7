import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ProxyUnderTest } from '../support/proxy-under-test.ts';
import { ScriptedPod } from '../support/scripted-peers.ts';
import { ScriptedRole } from '../support/scripted-role.ts';
import { until } from '../support/until.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

for (const [request, status, reason] of [
  ['GET / HTTP/1.1\r\n\r\n', 400, 'bad-host'],
  [`GET /${'x'.repeat(9000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414, 'target-too-long'],
  [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, 431, 'head-too-large'],
  [`GET / HTTP/1.1\r\nHost: a\r\n${'X: x\r\n'.repeat(120)}\r\n`, 431, 'too-many-fields'],
  ['GET / HTTP/1.1\r\nHost: a\r\nExpect: the-unexpected\r\n\r\n', 417, 'expectation-unknown'],
  ['get / HTTP/1.1\r\nHost: a\r\n\r\n', 501, 'method-unknown'],
  ['CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 501, 'connect-refused'],
  ['GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505, 'version-unsupported'],
] as const) {
  test(`${status} names its reason and closes so that it can be read: ${reason}`, async (t) => {
    const role = new ScriptedRole({ candidates: [] });
    const under = await ProxyUnderTest.start(t, { role });
    const client = await under.client();
    client.send(`${request}GET /next HTTP/1.1\r\nHost: a\r\n\r\n`);
    const answer = await client.takes(`(${reason})\n`);
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [^]*\r\nConnection: close\r\n`));
    // Everything the client still sends is read, so that no RST takes the answer away.
    client.send('x'.repeat(100_000));
    assert.equal(await client.over(), 'fin');
    assert.equal(client.received, '');
    assert.equal(role.requests.length, 0);
    const line = await under.line();
    assert.deepEqual([line.status, line.reason, line.target], [status, reason, '']);
  });
}

for (const [reason, status] of [
  ['overloaded', 503],
  ['loop', 508],
  ['no-pod-ready', 503],
] as const) {
  test(`what the role refuses is answered with its status: ${reason}, and the connection stays`, async (t) => {
    const role = new ScriptedRole({
      candidates: [],
      marksOwnAnswers: true,
      next: () => ({ kind: 'refuse', reason }),
    });
    const under = await ProxyUnderTest.start(t, { role });
    const client = await under.client();
    for (let times = 0; times < 2; times++) {
      client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      const answer = await client.takes(`(${reason})\n`);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [^]*\r\nx-holdfast-own: unsent; ${reason}\r\n`));
    }
  });
}

test('an answer of the role itself leaves as it was made, and HEAD gets its head only', async (t) => {
  const answer = { status: 200, reason: undefined, fields: [['x-hello', '1']], body: '{}' } as const;
  const role = new ScriptedRole({ candidates: [], next: () => ({ kind: 'answer', answer }) });
  const under = await ProxyUnderTest.start(t, { role });
  const client = await under.client();
  client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match(await client.takes('\r\n\r\n'), /^HTTP\/1\.1 200 OK\r\n[^]*Content-Length: 2\r\n[^]*x-hello: 1\r\n/);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.takes('\r\n\r\n{}');
  assert.deepEqual(
    role.ends.map(({ reason, status }) => [reason, status]),
    [
      [undefined, 200],
      [undefined, 200],
    ],
  );
});

test('a connection too many is told so, closed and counted; the others are served', async (t) => {
  const pod = await ScriptedPod.start(t);
  const role = new ScriptedRole({ candidates: [pod.address] });
  const under = await ProxyUnderTest.start(t, { role, limits: { connections: 1 } });
  const first = await under.client();
  await until('the first is accepted', () => under.proxy.connections === 1);
  const second = await under.client();
  assert.match(await second.takes('(overloaded)\n'), /^HTTP\/1\.1 503 /);
  await second.over();
  assert.equal(under.turnedAway.count, 1);
  first.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  (await pod.request()).peer.send(ok);
  await first.reads(ok);
});

test('clients are told apart by address: only those of trustedProxies are believed', async (t) => {
  for (const [networks, trusted] of [
    [[], false],
    [['10.0.0.0/8', '::1/128'], false],
    [['127.0.0.0/8'], true],
    [['127.0.0.1'], true],
  ] as const) {
    const role = new ScriptedRole({ candidates: [] });
    const under = await ProxyUnderTest.start(t, { role, trustedProxies: networks });
    const client = await under.client();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.takes('(no-pods)\n');
    const [request] = role.requests;
    assert.deepEqual([request?.client.address, request?.client.trusted], ['127.0.0.1', trusted]);
  }
});

test('a request that comes byte by byte is the same request', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const client = await under.client();
  for (const byte of 'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n') {
    client.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { peer, head } = await pod.request();
  assert.match(head, /^POST \/a HTTP\/1\.1\r\nHost: a\r\n/);
  await peer.reads('2\r\nab\r\n0\r\n\r\n');
  for (const byte of 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n') {
    peer.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.reads('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n');
});
