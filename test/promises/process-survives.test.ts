/** No throw and no rejected promise of a role ends the process: the exchange does, with 500 or a cut. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Plan, Role } from '../../src/proxy/plan.ts';
import { ProxyUnderTest } from '../support/proxy-under-test.ts';
import { ScriptedPod } from '../support/scripted-peers.ts';
import { ScriptedRole, type ScriptedRoleOptions } from '../support/scripted-role.ts';

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

function fault(): never {
  throw new Error('a fault of the role');
}

const faults: readonly [string, Partial<ScriptedRoleOptions>][] = [
  ['next() throws', { next: fault }],
  ['next() rejects', { next: () => Promise.reject(new Error('a fault of the role')) }],
  ['answered() throws', { answered: fault }],
  ['settle() throws', { hold: 'end', settle: fault }],
  ['settle() rejects', { hold: 'end', settle: () => Promise.reject(new Error('a fault of the role')) }],
  ['a field that would split the answer', { fields: [['x', 'a\r\nb']] }],
];

for (const [what, options] of faults) {
  test(`${what}: 500, told once, and the next exchange is served`, async (t) => {
    const pod = await ScriptedPod.start(t);
    const faulty = new ScriptedRole({ candidates: [pod.address], ...options });
    const soundPod = await ScriptedPod.start(t);
    const sound = new ScriptedRole({ candidates: [soundPod.address] });
    const role: Role = {
      closing: false,
      marksOwnAnswers: false,
      plan: (request): Plan => (request.head.target === '/sound' ? sound : faulty).plan(request),
    };
    const under = await ProxyUnderTest.start(t, { role });
    const client = await under.client();
    client.send(get);
    if (options.next === undefined) (await pod.request()).peer.send(ok);
    assert.match(await client.takes('(internal)\n'), /^HTTP\/1\.1 500 /);
    assert.equal(under.faults.length, 1);
    assert.equal(faulty.ends.length, 1);
    const next = await under.client();
    next.send('GET /sound HTTP/1.1\r\nHost: a\r\n\r\n');
    (await soundPod.request()).peer.send(ok);
    await next.reads(ok);
    assert.equal(under.proxy.inFlight, 0);
  });
}

test('plan() throws: 500', async (t) => {
  const role: Role = { closing: false, marksOwnAnswers: false, plan: fault };
  const under = await ProxyUnderTest.start(t, { role });
  const client = await under.client();
  client.send(get + get);
  await client.takes('(internal)\n');
  await client.takes('(internal)\n');
  assert.equal(under.faults.length, 2);
  assert.equal(under.lines.length, 2);
});

test('finish() throws: told, and the client notices nothing', async (t) => {
  const pod = await ScriptedPod.start(t);
  const scripted = new ScriptedRole({ candidates: [pod.address] });
  const role: Role = {
    closing: false,
    marksOwnAnswers: false,
    plan: (request) => ({ ...scripted.plan(request), finish: fault }),
  };
  const under = await ProxyUnderTest.start(t, { role });
  const client = await under.client();
  client.send(get);
  const { peer } = await pod.request();
  peer.send(ok);
  await client.reads(ok);
  client.send(get);
  await peer.takes('\r\n\r\n');
  assert.equal(under.faults.length, 1);
});
