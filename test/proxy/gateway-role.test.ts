/** The gateway's role: what it believes, whom it asks, what it tells sidecars, and which pin the client takes home. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { SessionId } from '../../src/affinity/session-codec.ts';
import type { Move } from '../../src/upstream/signed-fields.ts';
import type { StoreRecord } from '../../src/store/contract.ts';
import { ScriptedSidecar } from '../support/scripted-sidecar.ts';
import { until } from '../support/until.ts';
import { cookieName, GatewayUnderTest, openPins, type GatewaySetup } from './gateway-under-test.ts';

const session = 'session-0123456789' as SessionId;

async function cluster(t: TestContext, over: Partial<GatewaySetup> & { readonly count?: number } = {}) {
  const { count = 3, ...setup } = over;
  const pods: ScriptedSidecar[] = [];
  for (let index = 0; index < count; index++) pods.push(await ScriptedSidecar.start(t, `pod-${'abcdef'[index]!}`));
  const gateway = await GatewayUnderTest.start(t, { pods: pods.map((pod) => pod.listed), ...setup });
  return {
    pods,
    gateway,
    pod: (name: string) => pods.find((pod) => pod.name === name)!,
    asked: (target: string) => pods.filter(({ requests }) => requests.some((request) => request.target === target)),
  };
}

/** A Cookie value with the session and a pin to a pod. */
function pinned(pod: { readonly name: string; readonly uid: string }, epoch = 0, of: SessionId = session): string {
  const pin = openPins().due({
    status: 200,
    cacheControl: undefined,
    change: { kind: 'set', session: of, attributes: ' Path=/', lifetimeSeconds: 3600 },
    session: undefined,
    reading: { kind: 'none' },
    pod,
    epoch,
    secure: false,
    nowMs: Date.now(),
  });
  return `${cookieName}=${session}; ${pin!.split(';', 1)[0]!}`;
}

function pinOf(setCookies: readonly string[]): string | undefined {
  return setCookies.find((line) => line.startsWith('pin='));
}

/** What a pin that was set says, for a session. */
function read(setCookie: string | undefined, of: SessionId = session) {
  return openPins().read(setCookie?.split(';', 1)[0], of, Date.now());
}

/** The move that a pod was told, as its sidecar would read it. */
function moveToldTo(gateway: GatewayUnderTest, pod: ScriptedSidecar, target: string): Move | undefined {
  const told = pod.requests.find((request) => request.target === target)?.headers['x-holdfast-move'];
  return typeof told === 'string' ? gateway.signer.verifyMove(pod.uid, told, `name-of-${session}`) : undefined;
}

function recordOf(pod: { readonly name: string; readonly uid: string }, epoch: number): StoreRecord {
  const owner = { name: pod.name, uid: pod.uid, peer: '127.0.0.1:1', data: '127.0.0.1:1' };
  return { epoch, owner, tombstone: false, version: 1, storedAtMs: 0 };
}

const forged = {
  'x-holdfast-from': 'nonce;signature',
  'x-holdfast-move': 'gone;nonce;signature',
  'x-holdfast-hop': 'pod-a-uid;pod-b-uid;nonce;signature',
  'x-holdfast-pod': 'pod-b;pod-b-uid;9;restored',
  'x-holdfast-own': 'unsent; draining',
  'x-holdfast-hello': 'nonce;signature',
  'x-holdfast-anything': '1',
};

test('internal fields of a client never get through, and no internal field of a sidecar reaches a client', async (t) => {
  const { gateway, pods } = await cluster(t, { count: 1 });
  pods[0]!.answer = () => pods[0]!.served({}, { 'X-Holdfast-Anything': '1', 'set-cookie': `${cookieName}=${session}` });
  const answer = await gateway.ask('/', { ...forged, cookie: `${cookieName}=${session}` });
  const seen = pods[0]!.requests[0]!.headers;
  const internal = Object.keys(seen).filter((name) => name.startsWith('x-holdfast-'));
  assert.deepEqual(internal, ['x-holdfast-from']);
  assert.equal(gateway.signer.verifyToken('pod-a-uid', String(seen['x-holdfast-from'])), true);
  assert.deepEqual(
    Object.keys(answer.headers).filter((name) => name.startsWith('x-holdfast-')),
    [],
  );
});

test('a hello that comes through a gateway is an ordinary request without its field', async (t) => {
  const { gateway, pods } = await cluster(t, { count: 1 });
  const before = pods[0]!.hellos;
  assert.equal((await gateway.ask('/.well-known/holdfast/hello', forged)).text, 'pod-a');
  assert.equal(pods[0]!.requests[0]!.headers['x-holdfast-hello'], undefined);
  assert.ok(pods[0]!.hellos >= before);
});

test('bare applications are believed nothing and told nothing', async (t) => {
  const { gateway, pods } = await cluster(t, { sidecars: false });
  for (const pod of pods) {
    pod.answer = () => ({
      headers: {
        'x-holdfast-own': 'unsent; draining',
        'x-holdfast-pod': 'pod-z;pod-z-uid;9;restored',
        'set-cookie': `${cookieName}=${session}; Path=/`,
      },
    });
  }
  const answer = await gateway.ask('/new');
  assert.equal(answer.status, 200, 'no second try');
  assert.deepEqual(
    pods.flatMap(({ requests }) => Object.keys(requests[0]?.headers ?? {})).filter((name) => name.startsWith('x-hold')),
    [],
  );
  const served = pods.find(({ requests }) => requests.length > 0)!;
  const reading = read(pinOf(answer.setCookies));
  const [digest] = openPins().podDigests(served.name, '');
  assert.deepEqual(reading, { kind: 'valid', pod: digest, epoch: 0, stale: false });
});

test('a client goes where its pin says, and the application never sees the pin', async (t) => {
  const { gateway, pods, asked } = await cluster(t);
  for (const pod of pods) {
    assert.equal((await gateway.ask(`/${pod.name}`, { cookie: pinned(pod) })).text, pod.name);
    assert.deepEqual(asked(`/${pod.name}`), [pod]);
    assert.equal(pod.requests.at(-1)!.headers.cookie, `${cookieName}=${session}`);
  }
  const line = await gateway.under.line(3);
  assert.deepEqual([line.affinity, line.pod, line.tried], ['hit', 'pod-c', ['pod-c']]);
  assert.match(line.session()!, /^[0-9a-f]+$/, 'a digest, not the id');
});

test('the pin names the pod that the answer names, with its epoch, and no pod by name or address', async (t) => {
  const { gateway, pods } = await cluster(t);
  const [a, b] = pods as [ScriptedSidecar, ScriptedSidecar];
  a.answer = () => ({ ...a.served({ name: 'pod-b', uid: b.uid, epoch: 12, outcome: 'restored' }), body: 'b' });
  const answer = await gateway.ask('/', { cookie: pinned(a, 3) });
  const pin = pinOf(answer.setCookies);
  const [digest] = openPins().podDigests('pod-b', b.uid);
  assert.deepEqual(read(pin), { kind: 'valid', pod: digest, epoch: 12, stale: false });
  assert.doesNotMatch(pin!, /pod-b|127\.0\.0\.1|uid/);
  const line = await gateway.under.line();
  assert.deepEqual([line.affinity, line.pod], ['restored', 'pod-b'], "the sidecar's outcome wins");
});

test('a sidecar may call its pod otherwise than the gateway does: its uid tells which one it is', async (t) => {
  const pods = [await ScriptedSidecar.start(t, 'shop-0'), await ScriptedSidecar.start(t, 'shop-1')];
  const listed = pods.map(({ address }, index) => ({ name: `listed-${index}`, address }));
  const owned = recordOf(pods[1]!, 5);
  const gateway = await GatewayUnderTest.start(t, { pods: listed, ownerOf: () => Promise.resolve(owned) });
  const first = await gateway.ask('/first', { cookie: `${cookieName}=${session}` });
  assert.equal(first.text, 'shop-1', "the store's owner");
  const line = await gateway.under.line();
  assert.deepEqual([line.affinity, line.pod], ['hit', 'listed-1']);
  const [digest] = openPins().podDigests('listed-1', pods[1]!.uid);
  assert.deepEqual(read(pinOf(first.setCookies)), { kind: 'valid', pod: digest, epoch: 0, stale: false });
  pods[1]!.answer = () => pods[1]!.served({ name: 'shop-0', uid: pods[0]!.uid, epoch: 6 });
  await gateway.ask('/second', { cookie: `${cookieName}=${session}` });
  assert.equal(gateway.table.get(session)?.pod.name, 'listed-0', 'also one that another one forwarded to');
  assert.equal((await gateway.ask('/third', { cookie: `${cookieName}=${session}` })).text, 'shop-0');
  assert.equal(pods[0]!.requests[0]!.headers['x-holdfast-move'], undefined, 'nothing moved');
});

test('a draining pod is left: the next pod is told so, signed for it and for this session', async (t) => {
  const { gateway, pods, pod } = await cluster(t);
  pods[0]!.hello = { ...pods[0]!.hello, draining: true };
  await until('it drains', () => gateway.watch.set.draining.length === 1);
  const answer = await gateway.ask('/moved', { cookie: pinned(pods[0]!) });
  assert.notEqual(answer.text, 'pod-a');
  assert.equal(moveToldTo(gateway, pod(answer.text), '/moved'), 'draining');
  assert.equal((await gateway.under.line()).affinity, 'moved-draining');
});

test('while a sidecar reports the store down nothing is moved until its pod refuses', async (t) => {
  const { gateway, pods, pod } = await cluster(t);
  pods[0]!.hello = { ...pods[0]!.hello, draining: true };
  pods[1]!.hello = { ...pods[1]!.hello, store: 'down' };
  await until('both are heard', () => gateway.watch.set.draining.length === 1 && gateway.watch.storeDown);
  assert.equal((await gateway.ask('/stays', { cookie: pinned(pods[0]!) })).text, 'pod-a');
  pods[0]!.answer = () => ({ status: 503, headers: { 'x-holdfast-own': 'unsent; draining' } });
  const answer = await gateway.ask('/moved', { cookie: pinned(pods[0]!) });
  assert.equal(moveToldTo(gateway, pod(answer.text), '/moved'), 'draining');
});

test('a pod with more active sessions than others gives one away: the other is told, signed, and the home serves if it can not', async (t) => {
  const { gateway, pods } = await cluster(t, { count: 2 });
  const [home, other] = pods as [ScriptedSidecar, ScriptedSidecar];
  assert.equal((await gateway.ask('/before', { cookie: pinned(home) })).text, home.name);
  home.hello = { ...home.hello, active: 20 };
  other.hello = { ...other.hello, active: 0 };
  await until('both are heard', () =>
    ['pod-a', 'pod-b'].every((name) => gateway.watch.saidBy(name)?.active !== undefined),
  );
  await until(
    'a session moves',
    async () => (await gateway.ask('/moved', { cookie: pinned(home) })).text === other.name,
  );
  assert.equal(moveToldTo(gateway, other, '/moved'), 'rebalance');
  other.answer = () => ({ status: 503, headers: { 'x-holdfast-own': 'unsent; draining' } });
  const answers = [1, 2, 3, 4].map(() => gateway.ask('/home', { cookie: pinned(home) }));
  for (const answer of await Promise.all(answers)) assert.deepEqual([answer.status, answer.text], [200, home.name]);
  assert.deepEqual(gateway.under.lines.at(-1)?.affinity, 'hit');
});

test('another uid behind the same name is another pod: sessions of the old one move, told as gone', async (t) => {
  const { gateway, pods, pod } = await cluster(t);
  const cookie = pinned(pods[0]!);
  pods[0]!.hello = { ...pods[0]!.hello, uid: 'pod-a-uid-2' };
  await until('the new uid', () => gateway.watch.podOf('pod-a-uid-2') !== undefined);
  const answer = await gateway.ask('/moved', { cookie });
  assert.equal(moveToldTo(gateway, pod(answer.text), '/moved'), 'gone');
  assert.equal((await gateway.under.line()).affinity, 'moved-gone');
});

test('a pod that does not know our token any more is asked who it is', async (t) => {
  const { gateway, pods } = await cluster(t, { count: 1 });
  pods[0]!.hello = { ...pods[0]!.hello, uid: 'pod-a-uid-2' };
  pods[0]!.answer = () => ({ headers: { 'set-cookie': `${cookieName}=${session}` } });
  const answer = await gateway.ask('/');
  assert.equal(pinOf(answer.setCookies), undefined, 'nobody knows yet where this session is');
  await until('it is asked', () => gateway.watch.podOf('pod-a-uid-2') !== undefined);
});

test('unsent goes to the next pod with any method, and the client sees only the last answer', async (t) => {
  const { gateway, pods, asked } = await cluster(t);
  pods[0]!.answer = () => ({ status: 503, headers: { 'x-holdfast-own': 'unsent; upstream-refused' }, body: 'no' });
  const answer = await gateway.ask('/unsent', { cookie: pinned(pods[0]!) });
  assert.equal(answer.status, 200);
  assert.equal(asked('/unsent').length, 2);
  const line = await gateway.under.line();
  assert.deepEqual([line.affinity, line.tried.length, line.tried[0]], ['moved-unhealthy', 2, 'pod-a']);
});

test('sent is never tried again, and its mark does not reach the client', async (t) => {
  const { gateway, pods, asked } = await cluster(t);
  pods[0]!.answer = () => ({ status: 503, headers: { 'x-holdfast-own': 'sent; put-refused' }, body: 'refused' });
  const answer = await gateway.ask('/sent', { cookie: pinned(pods[0]!) });
  assert.deepEqual([answer.status, answer.text, answer.headers['x-holdfast-own']], [503, 'refused', undefined]);
  assert.deepEqual(asked('/sent'), [pods[0]]);
});

test("an application's own 5xx is passed on and takes nothing from its pod", async (t) => {
  const { gateway, pods, asked } = await cluster(t);
  pods[0]!.answer = () => ({ status: 503, ...pods[0]!.served(), body: 'maintenance' });
  for (let times = 1; times <= 5; times++) {
    const answer = await gateway.ask('/down', { cookie: pinned(pods[0]!) });
    assert.deepEqual([answer.status, answer.text], [503, 'maintenance']);
  }
  assert.deepEqual(asked('/down'), [pods[0]]);
  assert.equal(gateway.watch.set.ready.length, 3);
});

test('a full pod keeps its sessions: overloaded is 503 with Retry-After, and nobody else is asked', async (t) => {
  const { gateway, pods, asked } = await cluster(t);
  pods[0]!.answer = () => ({ status: 503, headers: { 'x-holdfast-own': 'unsent; overloaded' } });
  const answer = await gateway.ask('/full', { cookie: pinned(pods[0]!) });
  assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1']);
  assert.match(answer.text, /overloaded/);
  assert.deepEqual(asked('/full'), [pods[0]]);
  pods[0]!.answer = () => pods[0]!.served();
  assert.equal((await gateway.ask('/again', { cookie: pinned(pods[0]!) })).text, 'pod-a', 'the session has stayed');
});

test('a full pod does not refuse a client without a session: the next one is asked', async (t) => {
  const { gateway, pods } = await cluster(t);
  for (const pod of pods.slice(0, 2)) {
    pod.answer = () => ({ status: 503, headers: { 'x-holdfast-own': 'unsent; overloaded' } });
  }
  assert.equal((await gateway.ask('/new')).text, 'pod-c');
});

test('not-here is followed to the pinned pod, even an unhealthy one', async (t) => {
  const { gateway, pods } = await cluster(t);
  pods[0]!.hello = { ...pods[0]!.hello, application: 'down' };
  await until('it looks unhealthy', () => gateway.watch.set.unhealthy.length === 1);
  for (const pod of pods.slice(1)) {
    pod.answer = () => ({ status: 503, headers: { 'x-holdfast-own': 'unsent; not-here' } });
  }
  assert.equal((await gateway.ask('/', { cookie: pinned(pods[0]!) })).text, 'pod-a');
});

test('more parallel requests of one session than configured are refused, and the session stays usable', async (t) => {
  const owners = Promise.withResolvers<undefined>();
  const { gateway } = await cluster(t, { perSession: 1, ownerOf: () => owners.promise });
  const headers = { cookie: `${cookieName}=${session}` };
  const both = [gateway.ask('/', headers), gateway.ask('/', headers)];
  const refused = await Promise.race(both);
  assert.equal(refused.status, 503);
  assert.match(refused.text, /overloaded/);
  owners.resolve(undefined);
  const statuses = (await Promise.all(both)).map(({ status }) => status);
  assert.deepEqual(statuses.toSorted(), [200, 503]);
  assert.equal((await gateway.ask('/', headers)).status, 200);
});

test('the newest term wins over an older pin, whichever gateway saw it', async (t) => {
  const { gateway, pods } = await cluster(t);
  const [a, b] = pods as [ScriptedSidecar, ScriptedSidecar];
  b.answer = () => ({ ...b.served({ epoch: 9 }), body: 'pod-b' });
  await gateway.ask('/newer', { cookie: pinned(b, 9) });
  assert.equal((await gateway.ask('/older-pin', { cookie: pinned(a, 3) })).text, 'pod-b');
  assert.equal((await gateway.ask('/newest-pin', { cookie: pinned(a, 10) })).text, 'pod-a');
});

test('an answer of an older term that comes late does not move the session back', async (t) => {
  const { gateway, pods } = await cluster(t);
  const [a, b] = pods as [ScriptedSidecar, ScriptedSidecar];
  b.answer = () => ({ ...b.served({ epoch: 9 }), body: 'pod-b' });
  await gateway.ask('/newer', { cookie: pinned(b, 9) });
  gateway.table.put(session, { name: 'pod-a', uid: a.uid }, 3);
  assert.equal((await gateway.ask('/', { cookie: `${cookieName}=${session}` })).text, 'pod-b');
});

test('the pin is sent on every answer that sets the session, and again only when something is behind', async (t) => {
  const { gateway, pods } = await cluster(t, { count: 1 });
  const pod = pods[0]!;
  const attributes = ' Path=/shop; Secure; Max-Age=7200; SameSite=Lax';
  pod.answer = () => pod.served({ epoch: 4 }, { 'set-cookie': `${cookieName}=${session};${attributes}` });
  const first = await gateway.ask('/set');
  assert.equal(pinOf(first.setCookies)?.slice(pinOf(first.setCookies)!.indexOf(';')), `;${attributes}; HttpOnly`);
  const cookie = `${cookieName}=${session}; ${pinOf(first.setCookies)!.split(';', 1)[0]!}`;
  assert.notEqual(pinOf((await gateway.ask('/set-again', { cookie })).setCookies), undefined);

  pod.answer = () => pod.served({ epoch: 4 });
  assert.equal(pinOf((await gateway.ask('/current', { cookie })).setCookies), undefined);
  const missing = pinOf((await gateway.ask('/missing', { cookie: `${cookieName}=${session}` })).setCookies);
  assert.match(
    missing!,
    /; Path=\/shop; Secure; SameSite=Lax; HttpOnly; Max-Age=7200$|; Path=\/shop; Secure; .*Max-Age=7200/,
  );
  const invalid = { cookie: `${cookieName}=${session}; pin=nonsense` };
  assert.notEqual(pinOf((await gateway.ask('/invalid', invalid)).setCookies), undefined);
  pod.answer = () => pod.served({ epoch: 5 });
  assert.equal(read(pinOf((await gateway.ask('/newer-term', { cookie })).setCookies)).kind, 'valid');
  pod.answer = () => ({ status: 304, ...pod.served({ epoch: 9 }), body: '' });
  assert.equal(pinOf((await gateway.ask('/not-modified', { cookie })).setCookies), undefined);
  pod.answer = () => pod.served({ epoch: 9 }, { 'cache-control': 'public, max-age=60' });
  assert.equal(pinOf((await gateway.ask('/shared', { cookie })).setCookies), undefined);
});

test('a logout ends the pin with its attributes, and the gateway forgets the session', async (t) => {
  const { gateway, pods } = await cluster(t, { count: 1 });
  const pod = pods[0]!;
  await gateway.ask('/', { cookie: pinned(pod) });
  assert.notEqual(gateway.table.get(session), undefined);
  pod.answer = () => pod.served({}, { 'set-cookie': `${cookieName}=deleted; Path=/shop; Max-Age=0` });
  const answer = await gateway.ask('/logout', { cookie: pinned(pod) });
  assert.match(pinOf(answer.setCookies)!, /^pin=; Path=\/shop; Max-Age=0; HttpOnly$/);
  assert.equal(gateway.table.get(session), undefined);
});

test('what the sidecar pays no attention to gets no pin', async (t) => {
  const { gateway, pods } = await cluster(t, { count: 1 });
  const pod = pods[0]!;
  pod.answer = () => pod.served({ outcome: 'none' }, { 'set-cookie': `${cookieName}=${session}; Path=/` });
  assert.equal(pinOf((await gateway.ask('/up')).setCookies), undefined);
  const known = await gateway.ask('/up', { cookie: `${cookieName}=${session}` });
  assert.equal(pinOf(known.setCookies), undefined);
  assert.equal(gateway.table.size, 0);
});

test('strict without keepers: one 503 that ends the pin once the pod is gone, then the session begins anew', async (t) => {
  for (const pin of ['cookie', 'table'] as const) {
    const { gateway, pods } = await cluster(t, { sidecars: false, strict: true, pin });
    const gone = { name: 'pod-z', uid: '' };
    gateway.table.put(session, gone, 0);
    const cookie = pin === 'cookie' ? pinned(gone) : `${cookieName}=${session}`;
    const refused = await gateway.ask('/refused', { cookie });
    assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '1']);
    if (pin === 'cookie') assert.match(pinOf(refused.setCookies)!, /^pin=;.*Max-Age=0/);
    assert.equal(pods.flatMap(({ requests }) => requests).length, 0);
    assert.equal((await gateway.ask('/anew', { cookie: `${cookieName}=${session}` })).status, 200, pin);
  }
});

test('strict refuses while the pod drains, and keeps the pin', async (t) => {
  const { gateway, pods } = await cluster(t, { strict: true });
  pods[0]!.hello = { ...pods[0]!.hello, draining: true };
  await until('it drains', () => gateway.watch.set.draining.length === 1);
  const answer = await gateway.ask('/', { cookie: pinned(pods[0]!) });
  assert.deepEqual([answer.status, answer.setCookies], [503, []]);
});

test('pin: table keeps a session where its first answer was made', async (t) => {
  const { gateway, pods } = await cluster(t, { pin: 'table' });
  for (const pod of pods) pod.answer = () => ({ ...pod.served({}, { 'set-cookie': `${cookieName}=${session}` }) });
  const first = await gateway.ask('/new');
  assert.deepEqual(first.setCookies, [`${cookieName}=${session}`], 'no pin cookie');
  for (let times = 0; times < 3; times++) {
    assert.equal((await gateway.ask('/', { cookie: `${cookieName}=${session}` })).text, first.text);
  }
});

test('with a pin or a shared store a session that never comes back takes no room', async (t) => {
  for (const over of [{ pin: 'cookie' }, { pin: 'table', ownerOf: () => Promise.resolve(undefined) }] as const) {
    const { gateway, pods } = await cluster(t, { count: 1, ...over });
    pods[0]!.answer = () => pods[0]!.served({}, { 'set-cookie': `${cookieName}=${session}` });
    await gateway.ask('/new');
    assert.equal(gateway.table.size, 0);
    await gateway.ask('/', { cookie: `${cookieName}=${session}` });
    assert.equal(gateway.table.size, 1);
  }
});

test('a store that fails is advice that is missing: the hash decides, and nobody is refused', async (t) => {
  const { gateway } = await cluster(t, { ownerOf: () => Promise.reject(new Error('the store is down')) });
  assert.equal((await gateway.ask('/', { cookie: `${cookieName}=${session}` })).status, 200);
});

test('X-Forwarded-* of strangers are replaced, of trusted proxies believed', async (t) => {
  const { gateway, pods } = await cluster(t, { count: 1 });
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const claims = { 'x-forwarded-for': '6.6.6.6', 'x-forwarded-proto': 'https', 'x-request-id': 'mine', traceparent };
  await gateway.ask('/stranger', claims);
  const stranger = pods[0]!.requests[0]!.headers;
  assert.deepEqual([stranger['x-forwarded-for'], stranger['x-forwarded-proto']], ['127.0.0.1', 'http']);
  assert.notEqual(stranger['x-request-id'], 'mine');
  assert.equal((await gateway.under.line()).requestId, stranger['x-request-id'], "the log joins with its sidecar's");
  assert.match(String(stranger['traceparent']), /^00-(?!0af76519)[0-9a-f]{32}-(?!b7ad6b71)[0-9a-f]{16}-00$/);
  const trusting = await GatewayUnderTest.start(t, { pods: [pods[0]!.listed], trustedProxies: ['127.0.0.0/8'] });
  await trusting.ask('/trusted', claims);
  const trusted = pods[0]!.requests[1]!.headers;
  assert.deepEqual(
    [trusted['x-forwarded-for'], trusted['x-forwarded-proto'], trusted['x-request-id']],
    ['6.6.6.6, 127.0.0.1', 'https', 'mine'],
  );
  assert.equal(trusted['traceparent'], traceparent);
  assert.equal((await trusting.under.line()).requestId, 'mine');
});

test('no exchange leaves a pod loaded, however it ended', async (t) => {
  const { gateway, pods } = await cluster(t);
  pods[0]!.answer = () => ({ status: 503, headers: { 'x-holdfast-own': 'unsent; draining' } });
  pods[1]!.answer = () => ({ status: 503, headers: { 'x-holdfast-own': 'sent; put-refused' } });
  await Promise.all(Array.from({ length: 20 }, (_, index) => gateway.ask(`/${index}`, { cookie: pinned(pods[0]!) })));
  await gateway.under.line(20);
  assert.deepEqual(
    gateway.watch.set.pods.map(({ load }) => load.inFlight),
    [0, 0, 0],
  );
});
