/** The sidecar's role: whom it believes, what it asks the keeper, what it forwards, and how much of an answer waits. */

import assert from 'node:assert/strict';
import type { OutgoingHttpHeaders } from 'node:http';
import { test } from 'node:test';

import type { SessionId } from '../../src/affinity/session-codec.ts';
import { formatAddress } from '../../src/base/address.ts';
import type { Verdict } from '../../src/sessions/stay.ts';
import type { Owner } from '../../src/store/contract.ts';
import { helloField, HelloSigner, helloTarget, terminatingField } from '../../src/upstream/hello.ts';
import { InternalSigner, parseServedBy } from '../../src/upstream/signed-fields.ts';
import { freePort } from '../support/free-port.ts';
import { ScriptedSidecar, testSecrets } from '../support/scripted-sidecar.ts';
import { silentAddress } from '../support/silent-listener.ts';
import { until } from '../support/until.ts';
import { cookieName, nameOf, session, SidecarUnderTest } from './sidecar-under-test.ts';

const cookie = `${cookieName}=${session}`;
const other = 'session-9876543210' as SessionId;

function setsCookie(id: SessionId, attributes = '; Path=/'): OutgoingHttpHeaders {
  return { 'set-cookie': `${cookieName}=${id}${attributes}` };
}

function ownerAt(pod: ScriptedSidecar): Owner {
  return { uid: pod.uid, name: pod.name, peer: '127.0.0.1:1', data: formatAddress(pod.address) };
}

// Whom it believes.

test('a stranger is served, and told nothing of who served', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const answer = await sidecar.ask('/', { cookie });
  assert.deepEqual([answer.status, answer.headers['x-holdfast-pod']], [200, undefined]);
  assert.equal(sidecar.gate.asks[0]!.fromGateway, false);
});

test('a gateway of ours is told who served, in which term, and how the session came there', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  sidecar.gate.admission = ({ session: id }) => sidecar.gate.here(id, { epoch: 12, outcome: 'restored' });
  const answer = await sidecar.askAsGateway('/', { cookie });
  const served = parseServedBy(String(answer.headers['x-holdfast-pod']));
  assert.deepEqual(served, { name: 'pod of uid-a', uid: 'uid-a', epoch: 12, outcome: 'restored' });
  assert.equal(sidecar.gate.asks[0]!.fromGateway, true);
});

test('a token for another pod, of another key or made up opens nothing', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const strangers = new InternalSigner([Buffer.from('the store key of somebody else!!')]);
  for (const token of [sidecar.signer.token('uid-b'), strangers.token('uid-a'), 'x', 'a;b', ';']) {
    const headers = {
      'x-holdfast-from': token,
      'x-holdfast-move': sidecar.signer.move('uid-a', 'gone', nameOf(session)),
      'x-forwarded-for': '6.6.6.6',
      cookie,
    };
    const answer = await sidecar.ask('/', headers);
    assert.equal(answer.headers['x-holdfast-pod'], undefined, token);
    const { move, hopped, fromGateway } = sidecar.gate.asks.at(-1)!;
    assert.deepEqual({ move, hopped, fromGateway }, { move: undefined, hopped: false, fromGateway: false }, token);
    assert.equal(sidecar.application.requests.at(-1)!.headers['x-forwarded-for'], '127.0.0.1', token);
  }
});

test('internal fields never reach the application, and none of the application’s reach anyone', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  sidecar.application.answer = () => ({
    headers: { 'x-holdfast-own': 'unsent; draining', 'x-holdfast-pod': 'pod-z;uid-z;99;restored', 'X-HOLDFAST-x': '1' },
    body: 'ok',
  });
  const answer = await sidecar.askAsGateway('/', { cookie, 'x-holdfast-anything': '1', x_holdfast_from: '1' });
  const seen = Object.keys(sidecar.application.requests[0]!.headers).filter((name) => /^x.holdfast/.test(name));
  assert.deepEqual(seen, []);
  assert.deepEqual([answer.status, answer.text, answer.headers['x-holdfast-own']], [200, 'ok', undefined]);
  assert.equal(parseServedBy(String(answer.headers['x-holdfast-pod']))?.uid, 'uid-a', 'ours, not its');
  assert.equal(answer.headers['x-holdfast-x'], undefined);
});

test('X-Forwarded-* are believed with the signature of a gateway, and no entry is added', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const claims = {
    'x-forwarded-for': '203.0.113.9',
    'x-forwarded-proto': 'https',
    'x-request-id': 'the-gateways',
    traceparent,
  };
  await sidecar.askAsGateway('/', claims);
  const seen = sidecar.application.requests[0]!.headers;
  assert.deepEqual(
    [seen['x-forwarded-for'], seen['x-forwarded-proto'], seen['x-request-id'], seen['traceparent']],
    ['203.0.113.9', 'https', 'the-gateways', traceparent],
  );
  assert.equal((await sidecar.under.line()).requestId, 'the-gateways');
});

test('a move is believed for this pod and this session only', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const { signer } = sidecar;
  const moves: readonly (readonly [string, string | undefined])[] = [
    [signer.move('uid-a', 'draining', nameOf(session)), 'draining'],
    [signer.move('uid-a', 'unhealthy', nameOf(session)), 'unhealthy'],
    [signer.move('uid-a', 'gone', nameOf(session)), 'gone'],
    [signer.move('uid-b', 'gone', nameOf(session)), undefined],
    [signer.move('uid-a', 'gone', nameOf(other)), undefined],
    ['gone;nonce;signature', undefined],
    ['', undefined],
  ];
  for (const [move, believed] of moves) {
    await sidecar.askAsGateway('/', { cookie, 'x-holdfast-move': move });
    assert.equal(sidecar.gate.asks.at(-1)!.move, believed, move);
  }
});

test('a hop mark is believed for this pod and this session only', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const { signer } = sidecar;
  const hops: readonly (readonly [string, boolean])[] = [
    [signer.hop({ from: 'uid-b', to: 'uid-a' }, nameOf(session)), true],
    [signer.hop({ from: 'uid-b', to: 'uid-c' }, nameOf(session)), false],
    [signer.hop({ from: 'uid-b', to: 'uid-a' }, nameOf(other)), false],
    ['uid-b;uid-a;nonce;signature', false],
  ];
  for (const [hop, believed] of hops) {
    await sidecar.askAsGateway('/', { cookie, 'x-holdfast-hop': hop });
    assert.equal(sidecar.gate.asks.at(-1)!.hopped, believed, hop);
  }
});

test('a token is verified once a connection, and another one on it is verified again', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const client = await sidecar.under.client();
  const send = async (token: string): Promise<string> => {
    client.send(`GET / HTTP/1.1\r\nHost: x\r\nX-Holdfast-From: ${token}\r\n\r\n`);
    return client.takes('from the application');
  };
  const token = sidecar.signer.token('uid-a');
  assert.match(await send(token), /x-holdfast-pod: /i);
  assert.match(await send(token), /x-holdfast-pod: /i);
  assert.doesNotMatch(await send(sidecar.signer.token('uid-b')), /x-holdfast-pod: /i);
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.doesNotMatch(await client.takes('from the application'), /x-holdfast-pod: /i);
});

test('a key that was dropped ends the trust of connections that are open, at their next request; one that stays does not', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const client = await sidecar.under.client();
  const token = sidecar.signer.token('uid-a');
  const isBelieved = async (): Promise<boolean> => {
    client.send(`GET / HTTP/1.1\r\nHost: x\r\nX-Holdfast-From: ${token}\r\n\r\n`);
    return /x-holdfast-pod: /i.test(await client.takes('from the application'));
  };
  assert.ok(await isBelieved());
  const next = Buffer.from('the next key of these tests');
  sidecar.ring.replace([next, ...testSecrets]);
  assert.ok(await isBelieved());
  sidecar.ring.replace([next]);
  assert.equal(await isBelieved(), false);
});

// Hello.

test('a signed hello is answered without the application, also while it drains and whatever else is refused', async (t) => {
  const sidecar = await SidecarUnderTest.start(t, { perSession: 1 });
  sidecar.role.closing = true;
  sidecar.gate.admission = () => ({ kind: 'refused', reason: 'draining' });
  sidecar.application.kill();
  const signer = new HelloSigner(testSecrets);
  const { nonce, value } = signer.question();
  const answer = await sidecar.ask(helloTarget, { [helloField]: value, cookie });
  const hello = signer.read(nonce, { body: answer.text, value: String(answer.headers[helloField]) });
  assert.deepEqual([answer.status, hello?.uid, hello?.draining], [200, 'uid-a', true]);
  assert.equal(answer.headers['x-holdfast-own'], undefined);
});

test('a hello that is not signed is an ordinary request, and its field does not reach the application', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  for (const value of ['', 'nonce;signature']) {
    assert.equal((await sidecar.ask(helloTarget, { [helloField]: value })).text, 'from the application');
  }
  assert.equal((await sidecar.ask(helloTarget)).text, 'from the application');
  assert.equal(sidecar.application.requests.length, 3);
  assert.ok(sidecar.application.requests.every(({ headers }) => headers[helloField] === undefined));
  const { value } = new HelloSigner(testSecrets).question();
  assert.equal((await sidecar.ask('/', { [helloField]: value })).text, 'from the application', 'nor anywhere else');
});

test('a hello that is signed with another store.key is told so, and does not reach the application', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const { value } = new HelloSigner([Buffer.alloc(32, 'other')]).question();
  const answer = await sidecar.ask(helloTarget, { [helloField]: value });
  assert.deepEqual([answer.status, answer.headers[helloField], answer.text], [401, 'other-key', '']);
  assert.equal(sidecar.application.requests.length, 0);
});

test("a gateway's word that the pod is terminating is heard with its question, for this process and with our key only", async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const signer = new HelloSigner(testSecrets);
  const target = { uid: 'uid-a', run: 'run-1' };
  const told = async (word: string, path = helloTarget): Promise<unknown> => {
    const { nonce, value } = signer.question();
    const { text, headers } = await sidecar.ask(path, { [helloField]: value, [terminatingField]: word });
    return signer.read(nonce, { body: text, value: String(headers[helloField]) })?.draining;
  };
  const genuine = signer.terminating(target);
  const words = [
    '',
    genuine.slice(1),
    signer.terminating({ ...target, uid: 'uid-b' }),
    signer.terminating({ ...target, run: 'run-0' }),
    new HelloSigner([Buffer.alloc(32, 'other')]).terminating(target),
  ];
  for (const word of words) assert.equal(await told(word), false, word);
  await told(genuine, '/');
  assert.equal(sidecar.role.closing, false, 'an ordinary request tells nothing');
  assert.equal(await told(genuine), true, 'the answer to the very question knows it');
  assert.equal(await told(genuine), true, 'and said again it changes nothing');
});

// Where a request goes.

test('a session that another pod owns is forwarded there, once, signed for it, with the client as it was', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const there = await ScriptedSidecar.start(t, 'pod-b');
  sidecar.gate.admission = () => ({ kind: 'elsewhere', owner: ownerAt(there), epoch: 5 });
  there.answer = () => ({ ...there.served({ epoch: 5 }, setsCookie(session)), body: 'from pod-b' });
  const answer = await sidecar.ask('/', { cookie });
  assert.equal(answer.text, 'from pod-b');
  assert.equal(answer.headers['x-holdfast-pod'], undefined, 'not for a stranger');
  const { headers } = there.requests[0]!;
  assert.equal(sidecar.signer.verifyToken(there.uid, String(headers['x-holdfast-from'])), true);
  const ends = { from: 'uid-a', to: there.uid };
  assert.deepEqual(sidecar.signer.verifyHop(String(headers['x-holdfast-hop']), nameOf(session)), ends);
  assert.deepEqual([headers.cookie, headers['x-forwarded-for']], [cookie, '127.0.0.1']);
  assert.equal(sidecar.gate.stays.length, 0, 'only the keeper whose application answered captures');
  assert.equal(sidecar.application.requests.length, 0);
  const line = await sidecar.under.line();
  assert.deepEqual([line.pod, line.tried, line.affinity], ['pod-b', ['pod-b'], 'hit']);
});

test('a gateway hears from the pod that served, through the one that forwarded', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const there = await ScriptedSidecar.start(t, 'pod-b');
  sidecar.gate.admission = () => ({ kind: 'elsewhere', owner: ownerAt(there), epoch: 5 });
  there.answer = () => there.served({ epoch: 5 });
  const answer = await sidecar.askAsGateway('/', { cookie, 'x-forwarded-for': '203.0.113.9' });
  assert.equal(parseServedBy(String(answer.headers['x-holdfast-pod']))?.uid, there.uid);
  assert.equal(there.requests[0]!.headers['x-forwarded-for'], '203.0.113.9', 'no second entry');
});

test('what the other sidecar failed at itself stays marked as its failure', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const there = await ScriptedSidecar.start(t, 'pod-b');
  sidecar.gate.admission = () => ({ kind: 'elsewhere', owner: ownerAt(there), epoch: 5 });
  there.answer = () => ({ status: 503, headers: { 'x-holdfast-own': 'sent; put-refused' } });
  const answer = await sidecar.askAsGateway('/', { cookie });
  assert.deepEqual([answer.status, answer.headers['x-holdfast-own']], [503, 'sent; put-refused']);
  assert.equal(sidecar.gate.asks.length, 1, 'it was executed: nobody tries again');
});

test('an owner that does not take the connection counts as dead, and the keeper is asked again', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const owner = { uid: 'uid-b', name: 'pod-b', peer: '127.0.0.1:1', data: `127.0.0.1:${await freePort()}` };
  sidecar.gate.admission = ({ session: id, elsewhereFailed }) =>
    elsewhereFailed === undefined ? { kind: 'elsewhere', owner, epoch: 5 } : sidecar.gate.here(id);
  assert.equal((await sidecar.ask('/', { cookie })).text, 'from the application');
  assert.deepEqual(sidecar.gate.asks[1]!.elsewhereFailed, { epoch: 5, how: 'dead' });
  assert.deepEqual((await sidecar.under.line()).tried, ['pod-b', 'pod of uid-a']);
});

test('an owner that goes away, or whose application does, is asked to release, not taken for dead', async (t) => {
  for (const detail of ['draining', 'shutting-down', 'upstream-refused']) {
    const sidecar = await SidecarUnderTest.start(t);
    const there = await ScriptedSidecar.start(t, 'pod-b');
    there.answer = () => ({ status: 503, headers: { 'x-holdfast-own': `unsent; ${detail}` } });
    sidecar.gate.admission = ({ session: id, elsewhereFailed }) =>
      elsewhereFailed === undefined ? { kind: 'elsewhere', owner: ownerAt(there), epoch: 5 } : sidecar.gate.here(id);
    assert.equal((await sidecar.ask('/', { cookie })).text, 'from the application', detail);
    assert.deepEqual(sidecar.gate.asks[1]!.elsewhereFailed, { epoch: 5, how: 'draining' }, detail);
  }
});

test('an owner that lives and can not serve now keeps its session: 503, nothing is taken from it', async (t) => {
  for (const detail of ['overloaded', 'not-here', 'handoff-timeout']) {
    const sidecar = await SidecarUnderTest.start(t);
    const there = await ScriptedSidecar.start(t, 'pod-b');
    there.answer = () => ({ status: 503, headers: { 'x-holdfast-own': `unsent; ${detail}` } });
    sidecar.gate.admission = () => ({ kind: 'elsewhere', owner: ownerAt(there), epoch: 5 });
    const answer = await sidecar.askAsGateway('/', { cookie });
    assert.deepEqual([answer.status, answer.headers['x-holdfast-own']], [503, `unsent; ${detail}`]);
    assert.equal(sidecar.gate.asks.length, 1, detail);
  }
});

test('a request that comes back to the sidecar that forwarded it is 508, whoever has the address by now', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  for (const to of ['uid-a', 'uid-b']) {
    const hop = sidecar.signer.hop({ from: 'uid-a', to }, nameOf(session));
    const headers = { 'x-holdfast-from': sidecar.signer.token(to), 'x-holdfast-hop': hop, cookie };
    const answer = await sidecar.ask('/', headers);
    assert.deepEqual([answer.status, answer.headers['x-holdfast-own']], [508, 'unsent; loop'], to);
  }
  assert.deepEqual([sidecar.gate.asks.length, sidecar.application.requests.length], [0, 0]);
});

test('an owner whose address is ours by now is dead', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const formerly = { ...sidecar.owner, uid: 'uid-before' };
  sidecar.gate.admission = ({ session: id, elsewhereFailed }) =>
    elsewhereFailed === undefined ? { kind: 'elsewhere', owner: formerly, epoch: 5 } : sidecar.gate.here(id);
  assert.equal((await sidecar.ask('/', { cookie })).text, 'from the application');
  assert.deepEqual(sidecar.gate.asks.at(-1)!.elsewhereFailed, { epoch: 5, how: 'dead' });
});

test('an owner without a usable address is an adopt that failed, not a fault', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const owner = { uid: 'uid-b', name: 'pod-b', peer: '', data: 'nowhere' };
  sidecar.gate.admission = () => ({ kind: 'elsewhere', owner, epoch: 5 });
  const answer = await sidecar.ask('/', { cookie });
  assert.deepEqual([answer.status, answer.headers['x-holdfast-own']], [503, 'unsent; adopt-failed']);
  assert.deepEqual(sidecar.under.faults, []);
});

// Own answers.

test('what no byte of reached the application is unsent: a refusal, a refused connection, too many at once', async (t) => {
  const sidecar = await SidecarUnderTest.start(t, { perSession: 1 });
  sidecar.gate.admission = () => ({ kind: 'refused', reason: 'not-here' });
  const refused = await sidecar.ask('/', { cookie });
  assert.deepEqual([refused.status, refused.headers['x-holdfast-own']], [503, 'unsent; not-here']);
  assert.equal((await sidecar.under.line()).affinity, 'restore-failed');

  const waiting = Promise.withResolvers<undefined>();
  sidecar.gate.admission = ({ session: id }) =>
    id === session ? waiting.promise.then(() => sidecar.gate.here(id)) : sidecar.gate.here(id);
  const first = sidecar.ask('/first', { cookie });
  await until('the first is under way', () => sidecar.gate.asks.length === 2);
  const second = await sidecar.ask('/second', { cookie });
  assert.deepEqual([second.status, second.headers['x-holdfast-own']], [503, 'unsent; overloaded']);
  assert.equal((await sidecar.ask('/another', { cookie: `${cookieName}=nobody` })).status, 200);
  waiting.resolve(undefined);
  assert.equal((await first).status, 200);

  sidecar.application.kill();
  const dead = await sidecar.ask('/', { cookie });
  assert.deepEqual([dead.status, dead.headers['x-holdfast-own']], [502, 'unsent; upstream-refused']);
  assert.deepEqual(sidecar.gate.last.told, ['abandon not-sent']);
});

test('what the application may have executed is sent', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  sidecar.gate.verdict = () => ({ kind: 'refuse', reason: 'put-refused' });
  sidecar.application.answer = () => ({ headers: setsCookie(other), body: 'x' });
  const answer = await sidecar.ask('/', { cookie });
  assert.deepEqual([answer.status, answer.headers['x-holdfast-own']], [503, 'sent; put-refused']);
});

test('answers bear Connection: close while it drains', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  sidecar.role.closing = true;
  const client = await sidecar.under.client();
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.match(await client.takes('\r\n\r\n'), /\r\nConnection: close\r\n/);
  assert.equal(await client.over(), 'fin');
});

// What waits for the keeper.

interface HoldCase {
  readonly words: string;
  readonly status?: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly cookie?: string;
  readonly hold: 'head' | 'end' | 'none';
}

const holds: readonly HoldCase[] = [
  { words: 'an answer of a session', cookie, hold: 'end' },
  { words: 'an answer that sets the same session again', cookie, headers: setsCookie(session), hold: 'end' },
  { words: 'an answer that creates a session', headers: setsCookie(session), hold: 'head' },
  { words: 'an answer that changes the session', cookie, headers: setsCookie(other), hold: 'head' },
  { words: 'an answer that ends the session', cookie, headers: setsCookie(other, '; Max-Age=0'), hold: 'head' },
  ...[300, 301, 302, 303, 307, 308].map((status) => ({
    words: `a ${status} of a session`,
    status,
    cookie,
    headers: { location: '/next' },
    hold: 'head' as const,
  })),
  { words: 'an answer without a session', hold: 'none' },
  { words: 'a 302 without a session', status: 302, headers: { location: '/next' }, hold: 'none' },
];

for (const { words, status = 200, headers = {}, cookie: sent, hold } of holds) {
  const what = { head: 'waits, its head too', end: 'waits with its last byte', none: 'waits for nothing' }[hold];
  test(`${words} ${what}`, async (t) => {
    const sidecar = await SidecarUnderTest.start(t);
    const verdict = Promise.withResolvers<Verdict>();
    const rest = Promise.withResolvers<string>();
    sidecar.gate.verdict = () => verdict.promise;
    const length = { 'content-length': '4' };
    sidecar.application.answer = () => ({
      status,
      headers: { ...headers, ...length },
      body: 'bod',
      more: rest.promise,
    });
    const client = await sidecar.under.client();
    client.send(`GET / HTTP/1.1\r\nHost: x\r\n${sent === undefined ? '' : `Cookie: ${sent}\r\n`}\r\n`);
    if (hold === 'head') await until('it was asked', () => sidecar.application.requests.length === 1);
    else await client.takes('\r\n\r\nbod');
    rest.resolve('y');
    if (hold === 'none') {
      await client.takes('y');
      return;
    }
    await until('the keeper is asked', () => sidecar.gate.last.told.includes('settle'));
    await sidecar.under.quiet();
    assert.equal(client.received, '', 'nothing more has left');
    verdict.resolve({ kind: 'leave' });
    await client.takes(hold === 'end' ? 'y' : '\r\n\r\nbody');
  });
}

test('async: an answer that makes a session leaves, unless the keeper can remember no more of them', async (t) => {
  const sidecar = await SidecarUnderTest.start(t, { sync: false });
  sidecar.application.answer = () => ({ status: 302, headers: { ...setsCookie(other), location: '/' } });
  sidecar.gate.verdict = () => ({ kind: 'leave' });
  assert.equal((await sidecar.ask('/')).status, 302);
  assert.deepEqual(sidecar.gate.last.told, ['answered set', 'settle']);
  sidecar.gate.verdict = () => ({ kind: 'refuse', reason: 'store-timeout' });
  assert.equal((await sidecar.ask('/')).status, 503);
});

test('async: an answer of a session waits for the keeper, which lets it go unless it was a logout', async (t) => {
  const sidecar = await SidecarUnderTest.start(t, { sync: false });
  sidecar.gate.verdict = () => ({ kind: 'refuse', reason: 'store-timeout' });
  assert.equal((await sidecar.ask('/', { cookie })).status, 503);
  sidecar.gate.verdict = () => ({ kind: 'leave' });
  assert.equal((await sidecar.ask('/', { cookie })).status, 200);
});

// Scope.

test('a skipped path has affinity and no keeper, unless its answer sets the session', async (t) => {
  const sidecar = await SidecarUnderTest.start(t, { scope: { skip: { paths: ['/assets/'], methods: ['OPTIONS'] } } });
  const plain = await sidecar.askAsGateway('/assets/app.js', { cookie });
  assert.equal(parseServedBy(String(plain.headers['x-holdfast-pod']))?.outcome, 'hit');
  assert.deepEqual([sidecar.gate.asks.length, sidecar.gate.visits], [0, 0]);
  sidecar.application.answer = () => ({ headers: setsCookie(other) });
  const setting = await sidecar.askAsGateway('/assets/app.js', { cookie });
  assert.equal(parseServedBy(String(setting.headers['x-holdfast-pod']))?.outcome, 'hit');
  assert.deepEqual([sidecar.gate.asks.length, sidecar.gate.visits], [0, 1]);
  assert.deepEqual(sidecar.gate.last.told, ['answered set', 'settle']);
});

test('an ignored request is nobody: no keeper, no hold, no word of a session, even where its answer sets one', async (t) => {
  const sidecar = await SidecarUnderTest.start(t, {
    scope: { ignore: { paths: ['/up'], userAgents: ['kube-probe/'] } },
  });
  sidecar.application.answer = () => ({ headers: setsCookie(other), body: 'ok' });
  for (const [path, agent] of [
    ['/up', 'Mozilla'],
    ['/', 'kube-probe/1.36'],
    ['/', 'holdfast-probe/1'],
  ] as const) {
    const answer = await sidecar.askAsGateway(path, { cookie, 'user-agent': agent });
    assert.equal(answer.text, 'ok');
    assert.deepEqual(parseServedBy(String(answer.headers['x-holdfast-pod'])), {
      name: 'pod of uid-a',
      uid: 'uid-a',
      epoch: 0,
      outcome: 'none',
    });
  }
  assert.deepEqual([sidecar.gate.asks.length, sidecar.gate.visits], [0, 0]);
  const line = await sidecar.under.line(3);
  assert.deepEqual([line.affinity, line.session()], ['none', undefined]);
});

// How it ends.

test('the keeper learns how an exchange ended, exactly once', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  await sidecar.ask('/', { cookie });
  assert.deepEqual(sidecar.gate.last.told, ['answered none', 'settle']);

  sidecar.gate.verdict = () => ({ kind: 'refuse', reason: 'put-refused' });
  await sidecar.ask('/', { cookie }).catch(() => undefined);
  await sidecar.under.line(2);
  assert.deepEqual(sidecar.gate.last.told, ['answered none', 'settle']);
});

test('an application that dies in its answer is told as that', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  sidecar.application.answer = () => {
    setImmediate(() => sidecar.application.kill());
    return { headers: { 'content-length': '1000' }, body: 'half' };
  };
  await sidecar.ask('/', { cookie }).catch(() => undefined);
  await until('told', () => sidecar.gate.last.told.some((word) => word.startsWith('abandon')));
  assert.equal(sidecar.gate.last.told.at(-1), 'abandon application-died');
});

test('outcomes: new for a session that is made here, none without one', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  sidecar.application.answer = () => ({ headers: setsCookie(session) });
  await sidecar.ask('/new');
  assert.equal((await sidecar.under.line(1)).affinity, 'new');
  sidecar.application.answer = () => ({});
  await sidecar.ask('/none');
  assert.equal((await sidecar.under.line(2)).affinity, 'none');
  sidecar.gate.admission = ({ session: id }) => sidecar.gate.here(id, { outcome: 'expired' });
  await sidecar.ask('/expired', { cookie });
  assert.equal((await sidecar.under.line(3)).affinity, 'expired');
});

// An application that is gone, and nobody in front.

test('a client that came by a plain Service is sent to another pod, with its session or without one, marked as a hop', async (t) => {
  const [sidecar, other] = [await SidecarUnderTest.start(t), await SidecarUnderTest.start(t, { uid: 'uid-b' })];
  sidecar.gate.others = [other.owner];
  sidecar.application.kill();
  assert.equal((await sidecar.ask('/with', { cookie })).text, 'from the application');
  assert.deepEqual([other.gate.asks[0]?.hopped, other.gate.asks[0]?.fromGateway], [true, true]);
  assert.deepEqual(sidecar.gate.last.told, ['abandon not-sent'], 'nothing of it is in flight here');
  assert.deepEqual([sidecar.gate.refusals, other.gate.refusals], [1, 0], 'and it is told that its application refused');
  assert.equal((await sidecar.ask('/without')).text, 'from the application');
  assert.equal(other.application.requests.at(-1)?.target, '/without');
});

test('one that has no application either sends nothing on: the next one is tried, and after two it is a 502', async (t) => {
  const pods = [];
  for (const uid of ['uid-a', 'uid-b', 'uid-c', 'uid-d']) pods.push(await SidecarUnderTest.start(t, { uid }));
  const [sidecar, second, third, fourth] = pods as [SidecarUnderTest, ...SidecarUnderTest[]];
  for (const pod of pods) pod.gate.others = pods.map(({ owner }) => owner).filter(({ uid }) => uid !== pod.own.uid);
  for (const pod of [sidecar, second!]) pod.application.kill();
  for (const headers of [{ cookie }, {}]) assert.equal((await sidecar.ask('/', headers)).text, 'from the application');
  third!.application.kill();
  for (const headers of [{ cookie }, {}]) {
    const answer = await sidecar.ask('/', headers);
    assert.deepEqual([answer.status, answer.headers['x-holdfast-own']], [502, 'unsent; upstream-refused']);
  }
  assert.equal(fourth!.application.requests.length, 0);
});

test('who has somebody in front, and who is a probe, is answered here; and where no other pod is known it is a 502', async (t) => {
  const [sidecar, other] = [await SidecarUnderTest.start(t), await SidecarUnderTest.start(t, { uid: 'uid-b' })];
  sidecar.application.kill();
  assert.equal((await sidecar.ask('/', { cookie })).status, 502);
  sidecar.gate.others = [other.owner];
  assert.equal((await sidecar.askAsGateway('/', { cookie })).status, 502);
  assert.equal((await sidecar.ask('/', { 'user-agent': 'kube-probe/1.36' })).status, 502);
  assert.equal(other.application.requests.length, 0);
});

// A pod that is going away, and nobody in front.

test('what comes by a plain Service is begun at another pod; where no other would have it, here', async (t) => {
  const [sidecar, other] = [await SidecarUnderTest.start(t), await SidecarUnderTest.start(t, { uid: 'uid-b' })];
  for (const each of [sidecar, other]) {
    each.gate.admission = ({ session: id, move }) =>
      move === 'none-left' || !each.role.closing ? each.gate.here(id) : { kind: 'refused', reason: 'draining' };
  }
  sidecar.gate.others = [other.owner];
  sidecar.role.closing = true;
  for (const headers of [{ cookie }, {}]) assert.equal((await sidecar.ask('/', headers)).text, 'from the application');
  assert.deepEqual([sidecar.application.requests.length, other.application.requests.length], [0, 2]);
  assert.equal(other.gate.asks[0]?.hopped, true);
  assert.equal((await sidecar.ask('/', { 'user-agent': 'kube-probe/1.36' })).status, 200);
  assert.equal(sidecar.application.requests.length, 1, 'a probe wants to know of this one');

  // All go at the same time.
  other.role.closing = true;
  assert.equal((await sidecar.ask('/', { cookie })).text, 'from the application');
  assert.deepEqual([sidecar.gate.asks.at(-1)?.move, sidecar.gate.asks.at(-1)?.fromGateway], ['none-left', false]);
  sidecar.gate.others = [];
  for (const headers of [{ cookie }, {}]) assert.equal((await sidecar.ask('/', headers)).text, 'from the application');
  assert.deepEqual([sidecar.application.requests.length, other.application.requests.length], [4, 2]);
});

test('what is here is served here until it has been given up, and whom somebody sent is told to go elsewhere', async (t) => {
  const [sidecar, other] = [await SidecarUnderTest.start(t), await SidecarUnderTest.start(t, { uid: 'uid-b' })];
  sidecar.gate.others = [other.owner];
  sidecar.role.closing = true;
  assert.equal((await sidecar.ask('/', { cookie })).text, 'from the application');
  assert.equal(sidecar.application.requests.length, 1);
  sidecar.gate.admission = () => ({ kind: 'refused', reason: 'draining' });
  const answer = await sidecar.askAsGateway('/', { cookie });
  assert.deepEqual([answer.status, answer.headers['x-holdfast-own']], [503, 'unsent; draining']);
  assert.equal(other.application.requests.length, 0);
});

test('another pod that takes no connection in time has nothing of the request: the next one gets it, then ours', async (t) => {
  const [sidecar, other] = [await SidecarUnderTest.start(t), await SidecarUnderTest.start(t, { uid: 'uid-b' })];
  const silent = { uid: 'uid-c', name: 'pod-c', peer: '127.0.0.1:1', data: formatAddress(await silentAddress(t)) };
  sidecar.role.closing = true;
  sidecar.gate.others = [silent, other.owner];
  assert.equal((await sidecar.ask('/')).text, 'from the application');
  assert.deepEqual([sidecar.application.requests.length, other.application.requests.length], [0, 1]);
  sidecar.gate.others = [silent];
  assert.equal((await sidecar.ask('/')).text, 'from the application');
  assert.equal(sidecar.application.requests.length, 1);
});

test('an owner that has just failed is not asked for help', async (t) => {
  const [sidecar, other] = [await SidecarUnderTest.start(t), await SidecarUnderTest.start(t, { uid: 'uid-b' })];
  const owner = { uid: 'uid-c', name: 'pod-c', peer: '127.0.0.1:1', data: `127.0.0.1:${await freePort()}` };
  sidecar.gate.admission = ({ elsewhereFailed }) =>
    elsewhereFailed === undefined ? { kind: 'elsewhere', owner, epoch: 5 } : { kind: 'refused', reason: 'draining' };
  sidecar.gate.others = [owner, other.owner];
  sidecar.role.closing = true;
  assert.equal((await sidecar.ask('/', { cookie })).text, 'from the application');
  assert.equal(other.application.requests.length, 1);
  assert.deepEqual((await sidecar.under.line()).tried, ['pod-c', other.owner.name]);
});
