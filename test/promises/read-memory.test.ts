/**
 * Connections share the memory that request heads are read into, and use that of bodies and tunnels again: whatever
 * waits somewhere stays what it was, whatever others send meanwhile.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test, type TestContext } from 'node:test';

import type { Step } from '../../src/proxy/plan.ts';
import { ProxyUnderTest } from '../support/proxy-under-test.ts';
import { type Peer, ScriptedPod } from '../support/scripted-peers.ts';
import { ScriptedRole } from '../support/scripted-role.ts';
import { until } from '../support/until.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
/** More than the kernel buffers of both connections take. */
const muchBytes = 16 * 1024 * 1024;

/** Another client's request, long enough to lie over whatever was read before it. */
async function overwrite(under: ProxyUnderTest): Promise<void> {
  const other = await under.client();
  other.send(`GET /${'#'.repeat(6000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await other.takes('400 Bad Request');
}

async function tunnelled(t: TestContext): Promise<{ under: ProxyUnderTest; client: Peer; peer: Peer }> {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const client = await under.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  const { peer } = await pod.request();
  peer.send('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n');
  await client.takes('\r\n\r\n');
  return { under, client, peer };
}

/** No two places of it look alike. */
function patterned(bytes: number): Buffer {
  const pattern = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 4) pattern.writeUInt32LE((at * 2654435761) >>> 0, at);
  return pattern;
}

/** What a peer gets from now on, as a digest of its first `bytes`; it reads nothing before `resume`. */
function digestOf(peer: Peer, bytes: number): { resume(): void; readonly digest: Promise<string> } {
  const hash = createHash('sha256');
  let left = bytes;
  peer.socket.removeAllListeners('data');
  peer.socket.pause();
  const digest = new Promise<string>((resolve) => {
    peer.socket.on('data', (piece: Buffer) => {
      hash.update(piece.subarray(0, left));
      left -= piece.length;
      if (left <= 0) resolve(hash.digest('hex'));
    });
  });
  peer.socket.pause();
  return { resume: () => peer.socket.resume(), digest };
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test('a pipelined request that waits is forwarded as it was sent', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const client = await under.client();
  client.send('GET /first HTTP/1.1\r\nHost: a\r\n\r\n');
  const { peer } = await pod.request();
  client.send('POST /second?waits HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody');
  await overwrite(under);
  peer.send(ok);
  await client.reads(ok);
  assert.match(await peer.takes('\r\n\r\n'), /^POST \/second\?waits HTTP\/1\.1\r\nHost: a\r\n/);
  await peer.reads('body');
});

test('the rest of a read that holds several requests, and the beginning of a cut one, stay what they were', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const client = await under.client();
  client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTT');
  const { peer, head } = await pod.request();
  assert.match(head, /^GET \/1 /);
  await overwrite(under);
  peer.send(ok);
  assert.match(await peer.takes('\r\n\r\n'), /^GET \/2 /);
  await overwrite(under);
  peer.send(ok);
  await client.reads(ok + ok);
  await overwrite(under);
  client.send('P/1.1\r\nHost: a\r\n\r\n');
  assert.match(await peer.takes('\r\n\r\n'), /^GET \/3 /);
});

test('a body that came with its head and waits for a pod is sent as it came', async (t) => {
  const pod = await ScriptedPod.start(t);
  let choose: (step: Step) => void = () => undefined;
  const chosen = new Promise<Step>((resolve) => (choose = resolve));
  const role = new ScriptedRole({ candidates: [pod.address], next: () => chosen });
  const under = await ProxyUnderTest.start(t, { role });
  const client = await under.client();
  const body = patterned(6000).toString('hex').slice(0, 6000);
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await until('the request was read', () => under.proxy.inFlight === 1);
  await overwrite(under);
  const candidate = {
    address: pod.address,
    pod: 'pod',
    fields: [],
    connectTimeoutMs: 20_000,
    responseTimeoutMs: 60_000,
    isSidecar: false,
  };
  choose({ kind: 'forward', candidate });
  const { peer } = await pod.request();
  await peer.reads(body);
});

test('a body that is kept for another attempt is sent again as it came, piece by piece', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const client = await under.client();
  client.send('GET /first HTTP/1.1\r\nHost: a\r\n\r\n');
  const { peer } = await pod.request();
  peer.send(ok);
  await client.reads(ok);
  const pieces = ['a', 'b', 'c'].map((letter) => letter.repeat(3000));
  client.send('GET /kept HTTP/1.1\r\nHost: a\r\nContent-Length: 9001\r\n\r\n');
  await peer.takes('\r\n\r\n');
  for (const piece of pieces) {
    client.send(piece);
    await peer.reads(piece);
  }
  peer.reset();
  const again = await pod.request();
  assert.match(again.head, /^GET \/kept /);
  await again.peer.reads(pieces.join(''));
});

test('an upload that the pod does not read yet arrives as it was sent', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const client = await under.client();
  const body = patterned(muchBytes);
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${muchBytes}\r\n\r\n`);
  const { peer } = await pod.request();
  const uploaded = digestOf(peer, muchBytes);
  client.socket.write(body);
  await overwrite(under);
  await under.quiet();
  uploaded.resume();
  await overwrite(under);
  assert.equal(await uploaded.digest, sha256(body));
  peer.send(ok);
  await client.reads(ok);
});

test('what passes through a tunnel to a slow reader arrives as it was sent, in both directions', async (t) => {
  const { under, client, peer } = await tunnelled(t);
  const there = patterned(muchBytes);
  const back = patterned(muchBytes).reverse();
  const atPod = digestOf(peer, muchBytes);
  const atClient = digestOf(client, muchBytes);
  client.socket.write(there);
  peer.socket.write(back);
  await overwrite(under);
  await under.quiet();
  atPod.resume();
  atClient.resume();
  await overwrite(under);
  assert.equal(await atPod.digest, sha256(there));
  assert.equal(await atClient.digest, sha256(back));
});
