/** Connections on both sides carry one exchange after another, and never two at once. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ProxyUnderTest } from '../support/proxy-under-test.ts';
import { ScriptedPod } from '../support/scripted-peers.ts';
import { ScriptedRole } from '../support/scripted-role.ts';
import { until } from '../support/until.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

test('requests of one client connection go over one pod connection, one after another', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const client = await under.client();
  client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n');
  const { peer, head } = await pod.request();
  assert.match(head, /^GET \/1 HTTP\/1\.1\r\nHost: a\r\n/);
  peer.send(ok);
  await client.reads(ok);
  client.send('GET /2 HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match(await peer.takes('\r\n\r\n'), /^GET \/2 /);
  peer.send(ok);
  await client.reads(ok);
  assert.equal(pod.peers.length, 1);
  assert.deepEqual(
    (await under.line(2), under.lines).map(({ status, reason }) => [status, reason]),
    [
      [200, undefined],
      [200, undefined],
    ],
  );
});

test('pipelined requests are answered in order, the next is not forwarded before the last byte of the answer left', async (t) => {
  const pod = await ScriptedPod.start(t);
  const role = new ScriptedRole({ candidates: [pod.address], hold: 'end' });
  const under = await ProxyUnderTest.start(t, { role });
  const client = await under.client();
  client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n');
  const { peer } = await pod.request();
  for (const path of ['/1', '/2', '/3']) {
    if (path !== '/1') assert.match(await peer.takes('\r\n\r\n'), new RegExp(`^GET ${path} `));
    peer.send(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${path}`);
    await until('the answer is complete', () => role.settling.length === 1);
    await under.quiet();
    assert.equal(role.settling.length, 1);
    assert.equal(peer.received, '', 'the next request waits for the verdict');
    assert.equal(client.received, '');
    role.settleAll();
    await client.reads(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${path}`);
  }
});

/** Answers whose head declares a body that they must not have: a broken pod sends it all the same, perhaps later. */
const bodiless: readonly [string, string][] = [
  ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
  ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n'],
  ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
];

for (const [method, answer] of bodiless) {
  test(`what follows ${JSON.stringify(answer)} to ${method} is nobody's answer`, async (t) => {
    const pod = await ScriptedPod.start(t);
    const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
    const client = await under.client();
    client.send(`${method} /1 HTTP/1.1\r\nHost: a\r\n\r\n`);
    const { peer } = await pod.request();
    peer.send(answer);
    await client.takes('\r\n\r\n');
    client.send('GET /2 HTTP/1.1\r\nHost: a\r\n\r\n');
    const second = await pod.request();
    assert.match(second.head, /^GET \/2 /);
    second.peer.send(ok);
    await client.reads(ok);
    await peer.over();
  });
}

test('a client that asks for the end of the connection gets its answer and a FIN', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const client = await under.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n');
  const { peer, head } = await pod.request();
  assert.doesNotMatch(head, /connection/i);
  peer.send(ok);
  await client.reads('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
  assert.equal(await client.over(), 'fin');
  assert.equal(peer.received, '');
});

test('an HTTP/1.0 client that asks for keep-alive gets it', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const client = await under.client();
  client.send('GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
  const { peer } = await pod.request();
  peer.send(ok);
  await client.reads('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok');
  client.send('GET /2 HTTP/1.0\r\n\r\n');
  await peer.takes('\r\n\r\n');
  peer.send(ok);
  await client.reads('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
  assert.equal(await client.over(), 'fin');
});

test('a FIN of the client alone is a half-close: the request is still answered', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const client = await under.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  client.end();
  const { peer } = await pod.request();
  await under.quiet();
  peer.send(ok);
  await client.reads('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
  assert.equal(await client.over(), 'fin');
});

test('requests that were sent before a FIN are all answered, and half of a head is given up at once', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  for (const rest of ['', 'GET /4 HTTP/1.1\r\nHo']) {
    const client = await under.client();
    client.send(
      'POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' +
        `GET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n${rest}`,
    );
    client.end();
    for (const path of ['/1', '/2', '/3']) {
      const { peer, head } = await pod.request();
      assert.match(head, new RegExp(`^\\w+ ${path} `));
      await under.quiet();
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
      await client.takes('\r\n\r\nok');
    }
    assert.equal(await client.over(), 'fin');
    assert.equal(client.received, '');
  }
});

test('half a body before a FIN is given up at once, behind another request too', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const client = await under.client();
  client.send(
    'GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n' +
      'POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabc',
  );
  client.end();
  const { peer } = await pod.request();
  peer.send(ok);
  await client.reads(ok);
  await peer.takes('\r\n\r\n');
  peer.send(ok);
  await client.reads(ok);
  await peer.over();
  await client.over();
  assert.equal(client.received, '');
});

test('a pod connection that sends bytes nobody asked for is not used again', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const client = await under.client();
  client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n');
  const first = await pod.request();
  first.peer.send(`${ok}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`);
  await client.reads(ok);
  client.send('GET /2 HTTP/1.1\r\nHost: a\r\n\r\n');
  const second = await pod.request();
  second.peer.send(ok);
  await client.reads(ok);
  assert.equal(client.received, '');
  // The same while it is idle.
  second.peer.send(ok);
  await second.peer.over();
  client.send('GET /3 HTTP/1.1\r\nHost: a\r\n\r\n');
  (await pod.request()).peer.send(ok);
  await client.reads(ok);
});
