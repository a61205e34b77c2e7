import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';

import type { Address } from '../../src/base/address.ts';
import { HelloSigner } from '../../src/upstream/hello.ts';
import { probe, type ProbeOptions, type ProbeResult } from '../../src/upstream/probe.ts';
import { freePort } from '../support/free-port.ts';
import { ScriptedSidecar, testSecrets } from '../support/scripted-sidecar.ts';
import { silentAddress } from '../support/silent-listener.ts';
import { until } from '../support/until.ts';

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
  const address = await silentAddress(t);
  assert.match(await why(asked(address, { signer, timeoutMs: 100 })), /timeout: no answer in 100 ms/);
  assert.match(await why(asked(address, { path: '/up', timeoutMs: 100 })), /timeout: no answer in 100 ms/);
  assert.match(await why(asked(address, { timeoutMs: 100 })), /connecting took too long/);
});

test('only a sidecar of which no word came is silent: refusals, silent applications and other answers are not', async (t) => {
  const isSilent = async (result: Promise<ProbeResult>): Promise<boolean> => {
    const settled = await result;
    assert.equal(settled.kind, 'failed');
    return settled.silent === true;
  };
  const timeoutMs = 100;
  const mute = await listener(t, () => undefined);
  assert.equal(await isSilent(asked(mute, { signer, timeoutMs })), true);
  assert.equal(await isSilent(asked(mute, { path: '/up', timeoutMs })), false);
  const gone = { host: '127.0.0.1', port: await freePort() };
  assert.equal(await isSilent(asked(gone, { signer })), false);
  await silentAddress(t, gone.port);
  assert.equal(await isSilent(asked(gone, { signer, timeoutMs })), true);
  assert.equal(await isSilent(asked(gone, { timeoutMs })), false);
  const broken = await listener(t, (socket) => socket.destroy());
  assert.equal(await isSilent(asked(broken, { signer })), false);
  const begun = await listener(t, (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'));
  assert.equal(await isSilent(asked(begun, { signer, timeoutMs })), true, 'frozen in the middle of it');
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  sidecar.answer = () => ({ after: new Promise(() => undefined) });
  assert.equal(await isSilent(asked(sidecar.address, { signer, path: '/up', timeoutMs: 1000 })), false);
  // Where nobody can be, as the kernel says at once.
  const nowhere = asked({ host: '255.255.255.255', port: 80 }, { signer });
  assert.match(await why(nowhere), /ENETUNREACH/);
  assert.equal(await isSilent(nowhere), true);
});

/** Answers once it is told to; `flags`: heard, may answer, has answered. */
const gatedServer = `
const { createServer } = require('node:net');
const { parentPort, workerData: flags } = require('node:worker_threads');
const server = createServer((socket) => socket.once('data', () => {
  Atomics.store(flags, 0, 1);
  Atomics.wait(flags, 1, 0);
  socket.end('HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n', () => Atomics.store(flags, 2, 1));
}));
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));`;

test('an answer that came in time counts, also where this process stood still and looks at it too late', async (t) => {
  const flags = new Int32Array(new SharedArrayBuffer(12));
  const worker = new Worker(gatedServer, { eval: true, workerData: flags });
  t.after(() => worker.terminate());
  const port = await new Promise<number>((resolve) => worker.once('message', resolve));
  const timeoutMs = 1500;
  const startedMs = performance.now();
  const result = asked({ host: '127.0.0.1', port }, { path: '/up', timeoutMs });
  await until('it has heard', () => Atomics.load(flags, 0) === 1);
  // Where the loop looks at its timers next, and at sockets later.
  await new Promise((resolve) => setImmediate(resolve));
  Atomics.store(flags, 1, 1);
  Atomics.notify(flags, 1);
  // Stands still past the timeout.
  while (Atomics.load(flags, 2) === 0 || performance.now() - startedMs < timeoutMs + 50);
  assert.deepEqual(await result, { kind: 'passed', hello: undefined });
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
