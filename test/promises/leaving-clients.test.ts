/** A client that leaves cancels nothing that the application has begun (rules 14). */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { ManualClock } from '../support/manual-clock.ts';
import { ProxyUnderTest } from '../support/proxy-under-test.ts';
import { type Peer, ScriptedPod } from '../support/scripted-peers.ts';
import { ScriptedRole } from '../support/scripted-role.ts';
import { until } from '../support/until.ts';

async function left(
  t: TestContext,
  { hold, head }: { hold: 'none' | 'end'; head: string },
): Promise<{ peer: Peer; under: ProxyUnderTest; role: ScriptedRole; clock: ManualClock }> {
  const pod = await ScriptedPod.start(t);
  const role = new ScriptedRole({ candidates: [pod.address], hold });
  const clock = new ManualClock();
  const under = await ProxyUnderTest.start(t, { role, clock });
  const client = await under.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const { peer } = await pod.request();
  if (head !== '') {
    peer.send(head);
    await client.takes(head);
  }
  client.reset();
  await until('the client is gone', () => under.proxy.connections === 0);
  return { peer, under, role, clock };
}

const head = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n';

for (const seen of ['', head]) {
  test(`the application is read to its end and the session settled, ${seen === '' ? 'before' : 'after'} the head`, async (t) => {
    const { peer, under, role } = await left(t, { hold: 'end', head: seen });
    peer.send(`${seen === '' ? head : ''}hello`);
    await until('the answer waits for a verdict', () => role.settling.length === 1);
    assert.equal(under.proxy.inFlight, 1);
    role.settleAll();
    const line = await under.line();
    assert.deepEqual([line.reason, line.status], ['client-gone', 200]);
    assert.deepEqual(role.ends, [{ reason: 'client-gone', status: 200, sent: true, answerComplete: true }]);
  });
}

test('after 5 s the application is read no further', async (t) => {
  const { peer, under, role, clock } = await left(t, { hold: 'end', head });
  peer.send('he');
  clock.advance(4_999);
  peer.send('l');
  await under.quiet();
  assert.equal(under.proxy.inFlight, 1);
  clock.advance(1);
  await peer.over();
  const line = await under.line();
  assert.equal(line.reason, 'client-gone');
  assert.deepEqual(role.ends, [{ reason: 'client-gone', status: 200, sent: true, answerComplete: false }]);
});

test('after 1 MiB the application is read no further', async (t) => {
  const long = 'HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n';
  const { peer, under } = await left(t, { hold: 'end', head: long });
  peer.send('x'.repeat(2_000_000));
  await peer.over();
  assert.equal((await under.line()).reason, 'client-gone');
});

test('an answer that is not held is dropped at once', async (t) => {
  const { peer, under } = await left(t, { hold: 'none', head });
  await peer.over();
  assert.equal((await under.line()).reason, 'client-gone');
});

test('a client that leaves before a candidate is known reaches no pod', async (t) => {
  const pod = await ScriptedPod.start(t);
  const asked = Promise.withResolvers<undefined>();
  const role: ScriptedRole = new ScriptedRole({
    candidates: [],
    next: () => asked.promise.then(() => ({ kind: 'forward', candidate: role.candidate(pod.address, 'a') })),
  });
  const under = await ProxyUnderTest.start(t, { role });
  const client = await under.client();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until('the role is asked', () => role.requests.length === 1);
  client.reset();
  await until('the client is gone', () => under.proxy.connections === 0);
  asked.resolve(undefined);
  assert.equal((await under.line()).reason, 'client-gone');
  assert.deepEqual(role.ends, [{ reason: 'client-gone', status: 0, sent: false, answerComplete: false }]);
  assert.equal(pod.peers.length, 0);
});
