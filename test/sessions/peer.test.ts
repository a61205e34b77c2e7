/** Keepers asking each other over real sockets. */

import assert from 'node:assert/strict';
import { createServer as createHttpServer, request } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';

import { createLog } from '../../src/base/log.ts';
import { type Secrets, Signer } from '../../src/base/keyring.ts';
import { PeerClient } from '../../src/sessions/peer-client.ts';
import { releaseField, ReleaseSigner } from '../../src/sessions/peer-message.ts';
import { PeerServer } from '../../src/sessions/peer-server.ts';
import type { ReleaseAnswer, ReleaseAsk } from '../../src/sessions/peers.ts';
import type { Owner, StoreName } from '../../src/store/contract.ts';
import { type Hello, helloField, HelloSigner } from '../../src/upstream/hello.ts';
import { freePort } from '../support/free-port.ts';
import { silentAddress } from '../support/silent-listener.ts';

const log = createLog({ level: 'silent' });
const secrets: Secrets = [Buffer.from('a store key of some length')];
const name = 'n'.repeat(32) as StoreName;
const ask: ReleaseAsk = { name, epoch: 1_795_426_276_818_424, why: 'planned' };

interface Peer {
  readonly owner: Owner;
  readonly port: number;
  readonly heard: ReleaseAsk[];
}

async function peer(t: TestContext, answer: ReleaseAnswer = 'released', keys: Secrets = secrets): Promise<Peer> {
  const heard: ReleaseAsk[] = [];
  const server = new PeerServer({
    listen: { host: '127.0.0.1', port: 0 },
    uid: 'uid-p',
    secrets: keys,
    keeper: {
      releaseAsked(asked) {
        heard.push(asked);
        return Promise.resolve(answer);
      },
    },
    log,
  });
  const port = await server.listen();
  t.after(() => server.close());
  return { owner: ownerAt(port), port, heard };
}

function ownerAt(port: number): Owner {
  return { uid: 'uid-p', name: 'pod-p', peer: `127.0.0.1:${port}`, data: '127.0.0.1:1' };
}

/** What is answered on a busy machine is answered within these. */
const patient = { connectMs: 20_000, handoffMs: 120_000 };
/** For those who never answer. */
const impatient = { connectMs: 500, handoffMs: 1000 };

function client(t: TestContext, keys: Secrets = secrets, timeouts = patient): PeerClient {
  const made = new PeerClient({ secrets: keys, timeouts, log });
  t.after(() => made.close());
  return made;
}

/** The status of a request with these fields. */
function post(
  port: number,
  headers: Record<string, string>,
  options: { path?: string; body?: string } = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { port, host: '127.0.0.1', method: 'POST', path: options.path ?? '/release', headers },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    sent.on('error', reject);
    sent.end(options.body);
  });
}

test('a keeper hears what another one asks, and the asker its answer', async (t) => {
  for (const answer of ['released', 'not-mine', 'kept', 'busy'] as const) {
    const asked = await peer(t, answer);
    assert.equal(await client(t).ask(asked.owner, ask), answer);
    const { nonce, ...heard } = asked.heard[0] as ReleaseAsk & { nonce: string };
    assert.equal(nonce.length, 12);
    assert.deepEqual(heard, ask);
  }
});

test('an unsigned question is 401 and nobody hears it', async (t) => {
  const { port, heard } = await peer(t);
  assert.equal(await post(port, {}), 401);
  assert.equal(await post(port, { [releaseField]: `${name};1;now;${'x'.repeat(12)};${'y'.repeat(32)}` }), 401);
  assert.equal(await post(port, {}, { path: '/anything' }), 401);
  assert.deepEqual(heard, []);
});

test('a question signed for another pod, or with another key, is 401', async (t) => {
  const { port, heard } = await peer(t);
  const forOther = new ReleaseSigner(secrets).ask('uid-q', ask).value;
  const otherKey = new ReleaseSigner([Buffer.from('another key of some length')]).ask('uid-p', ask).value;
  assert.equal(await post(port, { [releaseField]: forOther }), 401);
  assert.equal(await post(port, { [releaseField]: otherKey }), 401);
  assert.deepEqual(heard, []);
});

test('a question whose parts were changed is 401', async (t) => {
  const { port, heard } = await peer(t);
  const { value } = new ReleaseSigner(secrets).ask('uid-p', ask);
  assert.equal(await post(port, { [releaseField]: value.replace('planned', 'now') }), 401);
  assert.equal(await post(port, { [releaseField]: value.replace(String(ask.epoch), String(ask.epoch + 1)) }), 401);
  assert.deepEqual(heard, []);
});

test('a signature for another session or another purpose is 401', async (t) => {
  const { port, heard } = await peer(t);
  const { value } = new ReleaseSigner(secrets).ask('uid-p', ask);
  assert.equal(await post(port, { [releaseField]: value.replace(name, 'm'.repeat(32)) }), 401);
  const [, , , nonce] = value.split(';');
  const parts = ['ask', 'uid-p', ask.name, String(ask.epoch), 'true', nonce!];
  for (const purpose of ['hello', 'gateway', 'move', 'hop'] as const) {
    const signature = new Signer(secrets, purpose).sign(parts);
    assert.equal(await post(port, { [releaseField]: [...value.split(';').slice(0, 4), signature].join(';') }), 401);
  }
  const right = new Signer(secrets, 'release').sign(parts);
  assert.equal(await post(port, { [releaseField]: [...value.split(';').slice(0, 4), right].join(';') }), 200);
  assert.equal(heard.length, 1);
});

test('an answer to one question is none to another', async (t) => {
  const signer = new ReleaseSigner(secrets);
  const first = signer.ask('uid-p', ask).signed;
  const signature = signer.signAnswer('uid-p', first, 'not-mine');
  const line = createHttpServer((_request, response) => response.setHeader(releaseField, signature).end('not-mine'));
  t.after(() => line.close());
  assert.equal(signer.verifyAnswer('uid-p', first, { text: 'not-mine', signature }), 'not-mine');
  assert.equal(await client(t).ask(ownerAt(await listening(line)), ask), 'unreachable', 'the nonce is another');
});

test('a question with a body, or of another path, is refused', async (t) => {
  const { port, heard } = await peer(t);
  const value = (): string => new ReleaseSigner(secrets).ask('uid-p', ask).value;
  assert.equal(await post(port, { [releaseField]: value() }, { body: 'x' }), 413);
  assert.equal(await post(port, { [releaseField]: value() }, { path: '/else' }), 404);
  assert.deepEqual(heard, []);
});

test('a head over 4k ends the connection', async (t) => {
  const { port, heard } = await peer(t);
  const socket = connect(port, '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined);
  socket.resume();
  socket.write(`POST /release HTTP/1.1\r\nHost: p\r\nx-filler: ${'x'.repeat(8192)}\r\n\r\n`);
  await closed;
  assert.deepEqual(heard, []);
});

test('keys in rotation: a question signed with an older key is heard', async (t) => {
  const next = Buffer.from('the next key of some length');
  const asked = await peer(t, 'released', [next, secrets[0]]);
  // The answer is signed with the first key, so the asker has to know it already: append, wait, move first.
  assert.equal(await client(t, [secrets[0], next]).ask(asked.owner, ask), 'released');
});

test('a refused connection is no answer', async (t) => {
  assert.equal(await client(t).ask(ownerAt(await freePort()), ask), 'unreachable');
});

test('silence is no answer, after a bound', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket));
  const port = await listening(server);
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  assert.equal(await client(t, secrets, impatient).ask(ownerAt(port), ask), 'unreachable');
});

test('a peer where not even a connection is made is no answer, and does not serve', async (t) => {
  const { port } = await silentAddress(t);
  assert.equal(await client(t, secrets, impatient).ask(ownerAt(port), ask), 'unreachable');
  assert.equal(await client(t, secrets, impatient).serves({ ...ownerAt(port), data: `127.0.0.1:${port}` }), false);
});

test('an answer that nobody of ours signed is no answer', async (t) => {
  const impostor = await peer(t, 'released', [Buffer.from('another key of some length'), secrets[0]]);
  assert.equal(await client(t).ask(impostor.owner, ask), 'unreachable');
});

test('a question whose connection the peer closed as idle is asked again', async (t) => {
  const asked = await peer(t);
  let connections = 0;
  const line = createServer((socket) => {
    socket.on('error', () => undefined);
    // The first connection ends when the question arrives, as an idle one does that closes at that moment.
    if (++connections === 1) socket.once('data', () => socket.destroy());
    else socket.pipe(connect(asked.port, '127.0.0.1')).pipe(socket);
  });
  const port = await listening(line);
  t.after(() => line.close());
  assert.equal(await client(t).ask(ownerAt(port), ask), 'released');
  assert.equal(connections, 2);
  assert.equal(asked.heard.length, 1);
});

test('an owner serves that answers as the one it was known as, with its application', async (t) => {
  const hello = { name: 'pod-p', uid: 'uid-p', application: 'up', store: 'down', draining: true } as const;
  const asked = client(t);
  const owner = async (says: Hello): Promise<Owner> => ({
    ...ownerAt(1),
    data: `127.0.0.1:${await sidecarSaying(t, says)}`,
  });
  assert.equal(await asked.serves(await owner(hello)), true, 'draining or without the store it serves what it has');
  assert.equal(await asked.serves(await owner({ ...hello, uid: 'uid-q' })), false);
  assert.equal(await asked.serves(await owner({ ...hello, application: 'down' })), false);
  assert.equal(await asked.serves({ ...ownerAt(1), data: `127.0.0.1:${await freePort()}` }), false);
  assert.equal(await asked.serves({ ...ownerAt(1), data: 'nonsense' }), false);
});

test('an owner that takes the connection and stays silent does not serve, after a bound', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket));
  const port = await listening(server);
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  assert.equal(await client(t, secrets, impatient).serves({ ...ownerAt(1), data: `127.0.0.1:${port}` }), false);
});

/** The port of what answers a signed hello like this. */
async function sidecarSaying(t: TestContext, says: Hello): Promise<number> {
  const signer = new HelloSigner(secrets);
  const server = createHttpServer((request, response) => {
    const answer = signer.answer(String(request.headers[helloField]), says);
    response.setHeader(helloField, answer?.value ?? '').end(answer?.body);
  });
  t.after(() => server.close());
  return listening(server);
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
