/** Bodies arrive as they were sent, framed as the receiver can read them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ProxyUnderTest, type UnderTestOptions } from '../support/proxy-under-test.ts';
import { type Peer, ScriptedPod } from '../support/scripted-peers.ts';
import { ScriptedRole, type ScriptedRoleOptions } from '../support/scripted-role.ts';

type Setup = Omit<ScriptedRoleOptions, 'candidates'> & Pick<UnderTestOptions, 'limits'>;

/** A request that has reached the pod. */
async function asked(
  t: Parameters<typeof ScriptedPod.start>[0],
  request: string,
  setup: Setup = {},
): Promise<{ client: Peer; peer: Peer; head: string; pod: ScriptedPod; under: ProxyUnderTest; role: ScriptedRole }> {
  const pod = await ScriptedPod.start(t);
  const role = new ScriptedRole({ ...setup, candidates: [pod.address] });
  const under = await ProxyUnderTest.start(t, {
    role,
    ...(setup.limits === undefined ? {} : { limits: setup.limits }),
  });
  const client = await under.client();
  client.send(request);
  return { client, ...(await pod.request()), pod, under, role };
}

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const get10 = 'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n';

test('a request body with Content-Length arrives byte for byte, in however many pieces it comes', async (t) => {
  const { client, peer } = await asked(t, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01');
  await peer.reads('01');
  client.send('234');
  await peer.reads('234');
  client.send('56789GET /next HTTP/1.1\r\nHost: a\r\n\r\n');
  await peer.reads('56789');
  peer.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  await client.reads('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  assert.match(await peer.takes('\r\n\r\n'), /^GET \/next /);
});

test('a chunked request body keeps its chunks; its extensions and trailers stay here', async (t) => {
  const body = '3;a="b"\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n';
  const { peer, head } = await asked(t, `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
  assert.match(head, /\r\nTransfer-Encoding: chunked\r\n/);
  await peer.reads('3\r\nabc\r\n0\r\n\r\n');
});

test('a chunked answer keeps its chunks and trailers, and its connection serves on', async (t) => {
  const { client, peer, pod } = await asked(t, get);
  const answer = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  peer.send(answer);
  await client.reads(answer);
  for (const piece of ['5\r\nhel', 'lo\r\n0', '\r\nX-Sum: 1\r\n', '\r\n']) {
    peer.send(piece);
    await client.reads(piece);
  }
  client.send(get);
  await peer.takes('\r\n\r\n');
  assert.equal(pod.peers.length, 1);
});

test('an answer that ends with its connection becomes chunked for an HTTP/1.1 client', async (t) => {
  const { client, peer } = await asked(t, get);
  peer.send('HTTP/1.0 200 OK\r\nServer: php\r\n\r\nhello');
  await client.reads('HTTP/1.1 200 OK\r\nServer: php\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
  peer.send('wörld'.normalize());
  await client.reads('5\r\nwörld\r\n');
  peer.end();
  await client.reads('0\r\n\r\n');
  assert.equal(client.ended, undefined);
});

test('an answer that ends with its connection ends so for an HTTP/1.0 client too', async (t) => {
  const { client, peer } = await asked(t, get10);
  peer.send('HTTP/1.1 200 OK\r\n\r\nhello');
  await client.reads('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello');
  peer.end();
  assert.equal(await client.over(), 'fin');
});

test('a chunked answer reaches an HTTP/1.0 client without its chunks', async (t) => {
  const { client, peer } = await asked(t, get10);
  peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde');
  await client.reads('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde');
  peer.send('\r\n0\r\nX-Sum: 1\r\n\r\n');
  assert.equal(await client.over(), 'fin');
  assert.equal(client.received, '');
});

test('a chunked answer that came whole gets a Content-Length for an HTTP/1.0 client, which may stay', async (t) => {
  const { client, peer } = await asked(t, get10);
  peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n');
  await client.reads('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc');
});

test('a held answer without a length is collected for an HTTP/1.0 client and gets a Content-Length', async (t) => {
  const { client, peer, under } = await asked(t, get10, { hold: 'end', settle: () => ({ kind: 'leave' }) });
  peer.send('HTTP/1.1 200 OK\r\n\r\nhel');
  await under.quiet();
  assert.equal(client.received, '');
  peer.send('lo');
  peer.end();
  await client.reads('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello');
});

test('what outgrows holdBytes goes to an HTTP/1.0 client as it is, and is counted', async (t) => {
  const setup: Setup = { hold: 'end', settle: () => ({ kind: 'leave' }), limits: { holdBytes: 4 } };
  const { client, peer, under } = await asked(t, get10, setup);
  peer.send('HTTP/1.1 200 OK\r\n\r\nhello');
  await client.reads('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello');
  peer.end();
  assert.equal(await client.over(), 'fin');
  assert.equal((await under.line()).heldInVain, true);
});

for (const [what, request, answer] of [
  ['HEAD', 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['204', get, 'HTTP/1.1 204 No Content\r\n\r\n'],
  ['304', get, 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'],
  ['Content-Length: 0', get, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
] as const) {
  test(`an answer without a body ends with its head, and both connections stay: ${what}`, async (t) => {
    const { client, peer, pod } = await asked(t, request);
    peer.send(answer);
    await client.reads(answer);
    client.send(get);
    await peer.takes('\r\n\r\n');
    peer.send('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx');
    await client.reads('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx');
    assert.equal(pod.peers.length, 1);
  });
}

test('interim answers pass at once to an HTTP/1.1 client and never to an HTTP/1.0 one', async (t) => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n';
  const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx';
  const first = await asked(t, get);
  first.peer.send(hints);
  await first.client.reads(hints);
  first.peer.send(hints + ok);
  await first.client.reads(hints + ok);
  const second = await asked(t, get10);
  second.peer.send(hints + ok);
  await second.client.reads('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx');
});

test('a malformed answer is 502 before its head left, and a cut after', async (t) => {
  for (const answer of ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx', 'nonsense\r\n\r\n']) {
    const { client, peer } = await asked(t, get);
    peer.send(answer);
    assert.match(await client.takes('(upstream-bad-response)\n'), /^HTTP\/1\.1 502 /);
    await peer.over();
  }
  const { client, peer, under } = await asked(t, get);
  peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n');
  await client.takes('1\r\nx\r\n');
  peer.send('bad\n');
  await client.over();
  assert.equal((await under.line()).reason, 'upstream-bad-response');
  assert.doesNotMatch(client.received, /^0/m);
});

for (const [framing, sent, passed] of [
  ['chunked', '\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n', '3\r\nabc\r\n0\r\n'],
  ['ended by its connection', '\r\n\r\nabc', '3\r\nabc\r\n'],
] as const) {
  test(`a cut of an answer that is ${framing} is a RST: some clients take a close in chunks for the end`, async (t) => {
    const { client, peer } = await asked(t, get);
    peer.send(`HTTP/1.1 200 OK${sent}`);
    await client.takes(`\r\n\r\n${passed}`);
    if (framing === 'chunked') peer.end();
    else peer.reset();
    assert.equal(await client.over(), 'reset');
  });
}

test('a cut of an answer whose length is known is a close: what has come of it may be read', async (t) => {
  const { client, peer } = await asked(t, get);
  peer.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc');
  await client.reads('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc');
  peer.end();
  assert.equal(await client.over(), 'fin');
});
