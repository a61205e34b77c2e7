import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import type { Address } from '../../src/base/address.ts';
import { HelloSigner } from '../../src/upstream/hello.ts';
import { probe, type ProbeOptions, type ProbeResult } from '../../src/upstream/probe.ts';
import { freePort } from '../support/free-port.ts';
import { ScriptedSidecar, testSecrets } from '../support/scripted-sidecar.ts';
import { SilentListener } from '../support/silent-listener.ts';

const signer = new HelloSigner(testSecrets);

function asked(address: Address, over: Partial<ProbeOptions> = {}): Promise<ProbeResult> {
  return probe(address, { timeoutMs: 5000, signer: undefined, path: undefined, ...over });
}

async function why(result: Promise<ProbeResult>): Promise<string> {
  const settled = await result;
  assert.equal(settled.kind, 'failed');
  return settled.why;
}

/** Takes connections and lets `speak` do the rest. */
async function listener(t: TestContext, speak: (socket: Socket) => void): Promise<Address> {
  const port = await freePort();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    speak(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { host: '127.0.0.1', port };
}

test('a sidecar says who it is', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  assert.deepEqual(await asked(sidecar.address, { signer }), { kind: 'passed', hello: sidecar.hello });
});

test('a sidecar without its application does not pass', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  sidecar.hello = { ...sidecar.hello, application: 'down' };
  assert.match(await why(asked(sidecar.address, { signer })), /application does not answer/);
});

test('a sidecar passes with its store down, and while it drains', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  sidecar.hello = { ...sidecar.hello, store: 'down', draining: true };
  assert.equal((await asked(sidecar.address, { signer })).kind, 'passed');
});

test('a pod that is no sidecar, or has another key, does not pass for one, and the reason names both', async (t) => {
  const bare = await ScriptedSidecar.start(t, 'pod-a');
  bare.secrets = undefined;
  assert.match(await why(asked(bare.address, { signer })), /200 without a signed hello: no sidecar, or another store/);
});

test('a sidecar with other keys is told from no sidecar, and the reason names the key by its fingerprint', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const [ours] = signer.fingerprints;
  const other = Buffer.from('the store key of somebody else!!');
  sidecar.secrets = [other];
  const stranger = await asked(sidecar.address, { signer });
  assert.ok(stranger.kind === 'failed' && stranger.wrongKeys === true);
  assert.equal(stranger.why, `its sidecar has another store.key than ours (ours has the fingerprint ${ours!})`);

  // It verifies with all its keys and signs with the first: a rotation that was not appended here yet.
  sidecar.secrets = [other, testSecrets[0]];
  assert.match(await why(asked(sidecar.address, { signer })), /signs with a store.key that is none of ours/);

  sidecar.secrets = testSecrets;
  const named = new HelloSigner(testSecrets, 'aaaaaaaa');
  assert.equal((await asked(sidecar.address, { signer: named })).kind, 'passed', 'of a version that does not say');
  sidecar.hello = { ...sidecar.hello, names: 'bbbbbbbb' };
  assert.match(await why(asked(sidecar.address, { signer: named })), /another store.nameKey or another store.prefix/);
  sidecar.hello = { ...sidecar.hello, names: 'aaaaaaaa' };
  assert.equal((await asked(sidecar.address, { signer: named })).kind, 'passed');
});

test('a path of the application passes with 200 to 399 and fails from 400 on, also behind a sidecar', async (t) => {
  const pod = await ScriptedSidecar.start(t, 'pod-a');
  for (const over of [{ signer }, {}]) {
    for (const status of [200, 204, 302, 399]) {
      pod.answer = () => ({ status });
      assert.equal((await asked(pod.address, { ...over, path: '/up' })).kind, 'passed', String(status));
    }
    for (const status of [400, 404, 503]) {
      pod.answer = () => ({ status });
      assert.equal(await why(asked(pod.address, { ...over, path: '/up' })), `/up answers ${status}`);
    }
  }
  assert.equal(pod.requests[0]?.target, '/up');
  assert.equal(pod.requests[0].headers['user-agent'], 'holdfast-probe/1');
});

test('a bare application passes by taking a connection, whatever it says', async (t) => {
  const address = await listener(t, (socket) => socket.end('not http\r\n'));
  assert.deepEqual(await asked(address), { kind: 'passed', hello: undefined });
});

test('a refused connection fails with its reason', async () => {
  const address = { host: '127.0.0.1', port: await freePort() };
  assert.match(await why(asked(address)), /ECONNREFUSED/);
  assert.match(await why(asked(address, { signer })), /ECONNREFUSED/);
  assert.match(await why(asked(address, { path: '/up' })), /ECONNREFUSED/);
});

test('a pod that takes the connection and stays silent fails in time', async (t) => {
  const address = await listener(t, () => undefined);
  assert.match(await why(asked(address, { signer, timeoutMs: 100 })), /timeout/);
  assert.match(await why(asked(address, { path: '/up', timeoutMs: 100 })), /timeout/);
});

test('a pod where not even a connection is made or refused fails in its own time', async (t) => {
  const address = { host: '127.0.0.1', port: await freePort() };
  const silent = await SilentListener.listen(address);
  silent.fill();
  t.after(() => silent.close());
  assert.match(await why(asked(address, { signer, timeoutMs: 100 })), /timeout: no answer in 100 ms/);
  assert.match(await why(asked(address, { path: '/up', timeoutMs: 100 })), /timeout: no answer in 100 ms/);
  assert.match(await why(asked(address, { timeoutMs: 100 })), /connecting took too long/);
});

test('an endless answer is not read to its end', async (t) => {
  const address = await listener(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    const more = (): void => {
      while (!socket.destroyed && socket.write(`1000\r\n${'x'.repeat(4096)}\r\n`));
    };
    socket.on('drain', more);
    more();
  });
  assert.match(await why(asked(address, { signer })), /too long/);
  assert.equal((await asked(address, { path: '/up' })).kind, 'passed', 'of a health page only the head counts');
});

test('an answer that is no HTTP fails with its reason', async (t) => {
  const address = await listener(t, (socket) => socket.end('hello\r\n\r\n'));
  assert.notEqual(await why(asked(address, { signer })), '');
});
