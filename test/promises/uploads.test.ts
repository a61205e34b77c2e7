/** Uploads: 100-continue, answers that come before the upload's end, limits. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { Limits } from '../../src/base/limits.ts';
import { ProxyUnderTest } from '../support/proxy-under-test.ts';
import { type Peer, ScriptedPod } from '../support/scripted-peers.ts';
import { ScriptedRole } from '../support/scripted-role.ts';

async function started(
  t: TestContext,
  limits: Partial<Limits> = {},
): Promise<{ pod: ScriptedPod; under: ProxyUnderTest; client: Peer; role: ScriptedRole }> {
  const pod = await ScriptedPod.start(t);
  const role = new ScriptedRole({ candidates: [pod.address] });
  const under = await ProxyUnderTest.start(t, { role, limits });
  return { pod, under, role, client: await under.client() };
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

test('Expect: 100-continue waits for the pod, and the body follows its 100', async (t) => {
  const { pod, client } = await started(t);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n');
  const { peer, head } = await pod.request();
  assert.match(head, /\r\nExpect: 100-continue\r\n/i);
  peer.send('HTTP/1.1 100 Continue\r\n\r\n');
  await client.reads('HTTP/1.1 100 Continue\r\n\r\n');
  client.send('body');
  await peer.reads('body');
  peer.send(ok);
  await client.reads(ok);
});

test('a refusal instead of a 100 ends the connections: nobody knows whether the body follows', async (t) => {
  const { pod, client } = await started(t);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n');
  const { peer } = await pod.request();
  peer.send('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
  await client.reads('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
  assert.equal(await client.over(), 'fin');
  await peer.over();
});

test('an early answer to an upload reaches the client, and what is left of the body is never read as a request', async (t) => {
  const { pod, client, under } = await started(t);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\nabc');
  const { peer } = await pod.request();
  await peer.reads('abc');
  peer.send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno');
  await client.reads('HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
  client.send('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(await client.over(), 'fin');
  await under.quiet();
  assert.equal(pod.peers.length, 1);
  assert.equal(peer.received, '');
  assert.equal(under.lines.length, 1);
});

test('an early answer reaches the client even where the pod closes with the upload unread', async (t) => {
  const { pod, client, under } = await started(t);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\nabc');
  const { peer } = await pod.request();
  await peer.reads('abc');
  // All within one turn: the rest of the upload is read before the answer, and meets a connection that was reset.
  client.send('def');
  peer.send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno');
  peer.reset();
  await client.reads('HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
  assert.equal(await client.over(), 'fin');
  assert.deepEqual([under.lines.length, under.lines[0]?.reason], [1, undefined]);
});

test('an upload goes on while its answer has begun', async (t) => {
  const { pod, client } = await started(t);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n');
  const { peer } = await pod.request();
  await peer.reads('1\r\na\r\n');
  peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n');
  await client.reads('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n');
  client.send('1\r\nb\r\n0\r\n\r\n');
  await peer.reads('1\r\nb\r\n0\r\n\r\n');
  peer.send('1\r\nb\r\n0\r\n\r\n');
  await client.reads('1\r\nb\r\n0\r\n\r\n');
  assert.equal(await client.over(), 'fin');
});

test('a body over bodyBytes is 413: told by its length before anything is sent, else when it has grown too large', async (t) => {
  const { pod, client, under } = await started(t, { bodyBytes: 8 });
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123456789');
  assert.match(await client.takes('(body-too-large)\n'), /^HTTP\/1\.1 413 /);
  assert.equal(await client.over(), 'fin');
  assert.equal(pod.peers.length, 0);
  const second = await under.client();
  second.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n');
  const { peer } = await pod.request();
  second.send('1\r\n9\r\n0\r\n\r\n');
  assert.match(await second.takes('(body-too-large)\n'), /^HTTP\/1\.1 413 /);
  await peer.over();
  assert.doesNotMatch(peer.received, /9/);
});

test('a malformed chunk is 400, and the pod never sees the end of that body', async (t) => {
  const { pod, client } = await started(t);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n');
  const { peer } = await pod.request();
  await peer.reads('1\r\na\r\n');
  client.send('1 \r\nb\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match(await client.takes('(bad-chunk)\n'), /^HTTP\/1\.1 400 [^]*\r\nConnection: close\r\n/);
  await peer.over();
  assert.equal(peer.received, '');
});

test('a client that ends in the middle of its body is gone: the pod sees a cut and no complete request', async (t) => {
  const { pod, client, under } = await started(t);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
  const { peer } = await pod.request();
  await peer.reads('abc');
  client.end();
  await peer.over();
  const line = await under.line();
  assert.deepEqual([line.reason, line.status], ['client-gone', 0]);
});
