/** In sync mode the end of an answer leaves when its session is safe, and a refused one never looks complete. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { ProxyUnderTest, type UnderTestOptions } from '../support/proxy-under-test.ts';
import { type Peer, ScriptedPod } from '../support/scripted-peers.ts';
import { ScriptedRole, type ScriptedRoleOptions } from '../support/scripted-role.ts';
import { until } from '../support/until.ts';

type Setup = Omit<ScriptedRoleOptions, 'candidates'> & Pick<UnderTestOptions, 'limits'> & { readonly request?: string };

interface Held {
  readonly client: Peer;
  readonly peer: Peer;
  readonly pod: ScriptedPod;
  readonly under: ProxyUnderTest;
  readonly role: ScriptedRole;
  /** Waits until the answer is complete at the proxy, and until what may leave has left. */
  readonly complete: () => Promise<void>;
}

async function held(t: TestContext, setup: Setup = {}): Promise<Held> {
  const pod = await ScriptedPod.start(t);
  const role = new ScriptedRole({ hold: 'end', ...setup, candidates: [pod.address] });
  const under = await ProxyUnderTest.start(t, {
    role,
    ...(setup.limits === undefined ? {} : { limits: setup.limits }),
  });
  const client = await under.client();
  client.send(setup.request ?? 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const { peer } = await pod.request();
  const complete = async (): Promise<void> => {
    await until('the answer waits for a verdict', () => role.settling.length === 1);
    await under.quiet();
  };
  return { client, peer, pod, under, role, complete };
}

const lengthHead = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n';
const chunkedHead = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const refused = { kind: 'refuse', reason: 'put-refused' } as const;

test('Content-Length: the last byte waits, those before it do not', async (t) => {
  const { client, peer, role, complete } = await held(t);
  peer.send(lengthHead);
  await client.reads(lengthHead);
  peer.send('hel');
  await client.reads('hel');
  peer.send('lo');
  await complete();
  assert.equal(client.received, 'l');
  role.settleAll();
  await client.reads('lo');
});

test('chunked: the last chunk and its trailers wait, wherever the bytes were cut', async (t) => {
  for (const pieces of [
    ['0\r\nX-A: 1\r\n\r\n'],
    ['0', '\r\nX-A: 1\r\n\r\n'],
    ['00', '0', '\r', '\nX', '-A: 1\r\n\r', '\n'],
  ]) {
    const { client, peer, role, under, complete } = await held(t);
    peer.send(chunkedHead);
    await client.reads(chunkedHead);
    peer.send('3\r\nabc\r\n');
    await client.reads('3\r\nabc\r\n');
    for (const piece of pieces) {
      peer.send(piece);
      await under.quiet();
    }
    await complete();
    assert.equal(client.received, '');
    role.settleAll();
    await client.reads(pieces.join(''));
  }
});

test('what looked like the beginning of the last chunk leaves as soon as it is known to be none', async (t) => {
  const { client, peer, under } = await held(t);
  peer.send(chunkedHead);
  await client.reads(chunkedHead);
  peer.send('0');
  await under.quiet();
  assert.equal(client.received, '');
  peer.send('3\r\nabc');
  await client.reads('03\r\nabc');
});

test('an event of a stream is never delayed by a hold', async (t) => {
  const { client, peer } = await held(t);
  peer.send(`${chunkedHead}8\r\ndata: 1\n\r\n`);
  await client.reads(`${chunkedHead}8\r\ndata: 1\n\r\n`);
  peer.send('8\r\ndata: 2\n\r\n');
  await client.reads('8\r\ndata: 2\n\r\n');
});

test('an answer that ends with its connection waits with our last chunk', async (t) => {
  const { client, peer, role, complete } = await held(t);
  peer.send('HTTP/1.1 200 OK\r\n\r\nhello');
  await client.reads(`${chunkedHead}5\r\nhello\r\n`);
  peer.end();
  await complete();
  assert.equal(client.received, '');
  role.settleAll();
  await client.reads('0\r\n\r\n');
});

for (const answer of [
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /\r\n\r\n',
  `${lengthHead}hello`,
  `${chunkedHead}1\r\nx\r\n0\r\n\r\n`,
]) {
  test(`the head waits where the end came before it was written: ${JSON.stringify(answer)}`, async (t) => {
    const { client, peer, role, complete } = await held(t);
    peer.send(answer);
    await complete();
    assert.equal(client.received, '');
    role.settleAll();
    await client.takes('\r\n\r\n');
    assert.equal(client.ended, undefined);
  });

  test(`and a refusal is a clean 503 then: ${JSON.stringify(answer)}`, async (t) => {
    const { client, peer, role, under, complete } = await held(t);
    peer.send(answer);
    await complete();
    role.settleAll(refused);
    const text = await client.takes('(put-refused)\n');
    assert.match(text, /^HTTP\/1\.1 503 [^]*\r\nRetry-After: 1\r\n/);
    assert.doesNotMatch(text, /Connection: close/);
    const line = await under.line();
    assert.deepEqual([line.status, line.reason], [503, 'put-refused']);
    assert.deepEqual(role.ends, [{ reason: 'put-refused', status: 503, sent: true, answerComplete: true }]);
  });
}

test("hold 'head': head and body wait together, up to holdBytes; then only the end mark waits", async (t) => {
  const { client, peer, role, under, complete } = await held(t, { hold: 'head', limits: { holdBytes: 4 } });
  peer.send(`${lengthHead}1234`);
  await under.quiet();
  assert.equal(client.received, '');
  peer.send('5');
  await complete();
  assert.equal(client.received, '');
  role.settleAll();
  await client.reads(`${lengthHead}12345`);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await peer.takes('\r\n\r\n');
  peer.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n12345');
  await client.reads('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n12345');
  peer.send('6');
  await complete();
  assert.equal(client.received, '');
  role.settleAll();
  await client.reads('6');
});

test('a refusal after the head left is a cut: the end mark never comes', async (t) => {
  for (const [head, body, end] of [
    [lengthHead, 'hell', 'o'],
    [chunkedHead, '1\r\nx\r\n', '0\r\n\r\n'],
  ] as const) {
    const { client, peer, role, under, complete } = await held(t);
    peer.send(head + body);
    await client.reads(head + body);
    peer.send(end);
    await complete();
    role.settleAll(refused);
    await client.over();
    assert.equal(client.received, '');
    assert.equal((await under.line()).reason, 'put-refused');
  }
});

test('a cut of what ends with the connection is a RST', async (t) => {
  const request = 'GET / HTTP/1.0\r\nHost: a\r\n\r\n';
  const { client, peer, role, complete } = await held(t, { request, limits: { holdBytes: 2 } });
  peer.send('HTTP/1.1 200 OK\r\n\r\nhello');
  await client.reads('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello');
  peer.end();
  await complete();
  role.settleAll(refused);
  assert.equal(await client.over(), 'reset');
});

test('a hold never stops the reading of the application', async (t) => {
  const { client, peer, role, complete } = await held(t, { hold: 'head', limits: { holdBytes: 10_000_000 } });
  const body = 'x'.repeat(4_000_000);
  peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await complete();
  assert.equal(peer.socket.writableLength, 0);
  assert.equal(client.received, '');
  role.settleAll();
  await client.reads(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
});

test('a killed application is not taken for one that has finished', async (t) => {
  const { client, peer, pod, role, under } = await held(t);
  peer.send('HTTP/1.1 200 OK\r\n\r\nhel');
  await client.reads(`${chunkedHead}3\r\nhel\r\n`);
  pod.kill();
  await client.over();
  assert.equal(client.received, '');
  assert.equal(role.settled, 0);
  assert.equal((await under.line()).reason, 'application-died');
  assert.deepEqual(role.ends, [{ reason: 'application-died', status: 200, sent: true, answerComplete: false }]);
});

test('nor is one whose listener closes only after its connections, as long as the answer waits', async (t) => {
  const { client, peer, pod, role, under, complete } = await held(t);
  peer.send('HTTP/1.1 200 OK\r\n\r\nhel');
  await client.reads(`${chunkedHead}3\r\nhel\r\n`);
  peer.socket.end();
  await complete();
  pod.kill();
  await under.quiet();
  role.settleAll();
  await client.over();
  assert.equal(client.received, '');
  assert.equal((await under.line()).reason, 'application-died');
});

test('nor is one that had sent its whole answer, where the session is saved after the output', async (t) => {
  const { client, peer, pod, role, under, complete } = await held(t, { savedLater: true });
  peer.send('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello');
  await complete();
  pod.kill();
  await under.quiet();
  role.settleAll();
  assert.match(await client.takes('(application-died)\n'), /^HTTP\/1\.1 502 /);
});

test('an application that saves its session after its output, and lives, is believed', async (t) => {
  const { client, peer, role, complete } = await held(t, { savedLater: true });
  const answer = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello';
  peer.send(answer);
  await complete();
  role.settleAll();
  assert.match(await client.takes('hello'), /^HTTP\/1\.1 200 OK\r\n/);
});

test('an application that dies in the middle of a framed answer is 502 while the head waits, else a cut', async (t) => {
  const waiting = await held(t, { hold: 'head' });
  waiting.peer.send(`${lengthHead}hel`);
  await waiting.under.quiet();
  waiting.peer.socket.destroy();
  assert.match(await waiting.client.takes('(application-died)\n'), /^HTTP\/1\.1 502 /);
  const begun = await held(t);
  begun.peer.send(`${lengthHead}hel`);
  await begun.client.reads(`${lengthHead}hel`);
  begun.peer.socket.destroy();
  await begun.client.over();
  assert.equal(begun.client.received, '');
  assert.equal(begun.role.settled, 0);
});

test('an answer fenced by a logout leaves without the session and pin cookies', async (t) => {
  const { client, peer } = await held(t, {
    settle: () => ({ kind: 'leave', fencedByLogout: true }),
    fields: [
      ['set-cookie', 'hf_1=pin'],
      ['x-pod', 'a'],
    ],
    fences: (cookie) => /^(?:session|hf_1)=/.test(cookie),
  });
  peer.send('HTTP/1.1 200 OK\r\nSet-Cookie: session=1\r\nSet-Cookie: theme=dark\r\nContent-Length: 1\r\n\r\nx');
  await client.reads('HTTP/1.1 200 OK\r\nSet-Cookie: theme=dark\r\nContent-Length: 1\r\nx-pod: a\r\n\r\nx');
});

test('a verdict that is there at once costs no second write', async (t) => {
  const { client, peer } = await held(t, { settle: () => ({ kind: 'leave' }) });
  peer.send(`${lengthHead}hello`);
  await client.reads(`${lengthHead}hello`);
});
