/** A tunnel begins at a 101 that answers an Upgrade we sent, and nowhere else. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { WebSocket, WebSocketServer } from 'ws';

import { ProxyUnderTest } from '../support/proxy-under-test.ts';
import { ScriptedPod } from '../support/scripted-peers.ts';
import { ScriptedRole } from '../support/scripted-role.ts';
import { until } from '../support/until.ts';

const upgrade = 'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';
const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n';

test('bytes pass both ways after the 101, and each direction ends by itself', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const client = await under.client();
  client.send(upgrade);
  const { peer, head } = await pod.request();
  assert.match(head, /\r\nConnection: upgrade\r\nUpgrade: echo\r\n/);
  peer.send(`${switching}early`);
  await client.reads(`${switching}early`);
  client.send('GET / is not HTTP here\r\n\r\n');
  await peer.reads('GET / is not HTTP here\r\n\r\n');
  client.end();
  assert.equal(await peer.over(), 'fin');
  peer.send('last words');
  await client.reads('last words');
  peer.end();
  assert.equal(await client.over(), 'fin');
  const line = await under.line();
  assert.deepEqual([line.status, line.reason], [101, undefined]);
  await until('the connections are closed', () => under.proxy.inFlight === 0 && under.pool.openCount === 0);
});

test('bytes behind an Upgrade request wait: they are the next request until a 101 says otherwise', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const client = await under.client();
  client.send(`${upgrade}GET /next HTTP/1.1\r\nHost: a\r\n\r\n`);
  const { peer } = await pod.request();
  await under.quiet();
  assert.equal(peer.received, '');
  peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno');
  await client.reads('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno');
  assert.match(await peer.takes('\r\n\r\n'), /^GET \/next /);
  const second = await under.client();
  second.send(`${upgrade}early`);
  const tunnel = await pod.request();
  tunnel.peer.send(switching);
  await second.reads(switching);
  await tunnel.peer.reads('early');
});

test('a 101 that nobody asked for, or for another protocol, is a bad response', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  for (const request of ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\n\r\n']) {
    const client = await under.client();
    client.send(request);
    const { peer } = await pod.request();
    peer.send(switching);
    assert.match(await client.takes('(upstream-bad-response)\n'), /^HTTP\/1\.1 502 /);
    await peer.over();
  }
});

test('a 101 is held like an answer without a body, and refused like one', async (t) => {
  const pod = await ScriptedPod.start(t);
  const role = new ScriptedRole({ candidates: [pod.address], hold: 'end' });
  const under = await ProxyUnderTest.start(t, { role });
  const client = await under.client();
  client.send(upgrade);
  const { peer } = await pod.request();
  peer.send(`${switching}early`);
  await until('the 101 waits', () => role.settling.length === 1);
  await under.quiet();
  assert.equal(client.received, '');
  role.settleAll();
  await client.reads(`${switching}early`);
  const second = await under.client();
  second.send(upgrade);
  const refused = await pod.request();
  refused.peer.send(switching);
  await until('the 101 waits', () => role.settling.length === 1);
  role.settleAll({ kind: 'refuse', reason: 'put-refused' });
  assert.match(await second.takes('(put-refused)\n'), /^HTTP\/1\.1 503 /);
  await refused.peer.over();
});

test('a tunnel that breaks on one side breaks on the other', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  for (const side of ['client', 'pod'] as const) {
    const client = await under.client();
    client.send(upgrade);
    const { peer } = await pod.request();
    peer.send(switching);
    await client.reads(switching);
    (side === 'client' ? client : peer).reset();
    await (side === 'client' ? peer : client).over();
  }
  await until('both are over', () => under.proxy.inFlight === 0);
  assert.deepEqual(under.lines.map(({ reason }) => reason).sort(), ['client-gone', 'upstream-reset']);
});

test('a WebSocket client and server talk through it', async (t) => {
  const http = createServer();
  const server = new WebSocketServer({ server: http });
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of server.clients) socket.terminate();
    http.close();
  });
  const address = { host: '127.0.0.1', port: (http.address() as AddressInfo).port };
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [address] }) });
  const socket = new WebSocket(`ws://127.0.0.1:${under.address.port}/chat`);
  const echoes: Buffer[] = [];
  socket.on('message', (data: Buffer) => echoes.push(data));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const large = Buffer.alloc(1_000_000, 7);
  socket.send('hello');
  socket.send(large);
  await until('both echoes are back', () => echoes.length === 2);
  assert.equal(echoes[0]!.toString(), 'hello');
  assert.ok(echoes[1]!.equals(large));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.close(1000);
  assert.equal(await closed, 1000);
  await until('the tunnel is over', () => under.proxy.inFlight === 0);
});
