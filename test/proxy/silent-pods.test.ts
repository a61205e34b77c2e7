/**
 * A pod that is frozen or cut off, as a gateway finds it by the signed hello: what waits there ends, and what is only slow
 * does not. Sockets and probes are real, the sidecars are scripted.
 */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { SessionId } from '../../src/affinity/session-codec.ts';
import { type ScriptedAnswer, ScriptedSidecar } from '../support/scripted-sidecar.ts';
import { until } from '../support/until.ts';
import { cookieName, GatewayUnderTest, type GatewaySetup } from './gateway-under-test.ts';

const session = 'session-0123456789' as SessionId;
const headers = { cookie: `${cookieName}=${session}` };
const never = new Promise<never>(() => undefined);

/** Two pods; `home` is where the session lives, and answers as the test says. */
async function two(t: TestContext, setup: Partial<GatewaySetup> = {}) {
  const pods = [await ScriptedSidecar.start(t, 'pod-a'), await ScriptedSidecar.start(t, 'pod-b')];
  const gateway = await GatewayUnderTest.start(t, { pods: pods.map((pod) => pod.listed), ...setup });
  const { text } = await gateway.ask('/', headers);
  const home = pods.find(({ name }) => name === text)!;
  const other = pods.find((pod) => pod !== home)!;
  const seen = (target: string): number =>
    [home, other].reduce((count, { requests }) => count + requests.filter((seen) => seen.target === target).length, 0);
  const stateOf = (pod: ScriptedSidecar): string => gateway.watch.set.byName.get(pod.name)!.state;
  /** The request has reached its pod. */
  const sent = (target: string): Promise<unknown> => until(`${target} is sent`, () => seen(target) === 1);
  return { gateway, home, other, seen, sent, stateOf };
}

test('a pod whose sidecar fell silent: what waits there is one 504 with its reason, sent once, and the next request goes elsewhere', async (t) => {
  const { gateway, home, other, seen, sent } = await two(t, { probeTimeoutMs: 400 });
  home.answer = () => ({ after: never });
  const waits = gateway.ask('/waits', headers);
  await sent('/waits');
  home.unansweredHellos = Infinity;
  const { status, text } = await waits;
  assert.deepEqual([status, text.includes('(upstream-silent)')], [504, true], text);
  const line = await gateway.under.line(2);
  assert.deepEqual([line.reason, line.pod], ['upstream-silent', home.name]);
  assert.equal((await gateway.ask('/next', headers)).text, other.name);
  assert.equal(seen('/waits'), 1, 'never sent again');
});

test('an answer that a silent pod began is cut so that it shows, and a stream too', async (t) => {
  const { gateway, home, sent } = await two(t, { probeTimeoutMs: 400 });
  const answers: Record<string, ScriptedAnswer> = {
    '/length': home.served({}, { 'content-length': 100 }),
    '/chunked': home.served(),
  };
  home.answer = ({ target }) => ({ ...answers[target], body: 'begun', more: never });
  const cut = ['/length', '/chunked'].map((target) => assert.rejects(gateway.ask(target, headers), target));
  await Promise.all([sent('/length'), sent('/chunked')]);
  home.unansweredHellos = Infinity;
  await Promise.all(cut);
  await gateway.under.line(3);
  const reasons = gateway.under.lines.slice(1).map(({ reason, status }) => [reason, status]);
  assert.deepEqual(reasons, [
    ['upstream-silent', 200],
    ['upstream-silent', 200],
  ]);
});

test('a request that is sent to a pod which is silent already ends too: with no other pod it is the only one', async (t) => {
  const home = await ScriptedSidecar.start(t, 'pod-a');
  const gateway = await GatewayUnderTest.start(t, { pods: [home.listed], probeTimeoutMs: 400 });
  home.unansweredHellos = Infinity;
  await until('it is unhealthy', () => gateway.watch.set.unhealthy.length === 1);
  home.answer = () => ({ after: never });
  assert.equal((await gateway.ask('/late', headers)).status, 504);
  assert.equal((await gateway.under.line()).reason, 'upstream-silent');
  home.unansweredHellos = 0;
  home.answer = () => home.served();
  await until('it is back', () => gateway.watch.set.ready.length === 1);
  assert.equal((await gateway.ask('/back', headers)).status, 200);
});

test('a sidecar that answers its hello too late once, or every second time, loses no request', async (t) => {
  // Two in a row would lose it, so nobody else may be late: a machine that sleeps longer than this is none to test on.
  const { gateway, home, sent } = await two(t, { probeTimeoutMs: 1500 });
  const gate = Promise.withResolvers<undefined>();
  home.answer = () => ({ ...home.served(), after: gate.promise });
  const waits = gateway.ask('/waits', headers);
  await sent('/waits');
  for (let times = 0; times < 3; times++) {
    const before = home.hellos;
    home.unansweredHellos = 1;
    await until('one was in vain, and the next ones not', () => home.hellos >= before + 3);
  }
  gate.resolve(undefined);
  assert.equal((await waits).text, home.name);
});

test('a slow application behind a sidecar that answers loses no request, though its health path is silent', async (t) => {
  const { gateway, home, sent, stateOf } = await two(t, { probeTimeoutMs: 600, path: '/up' });
  const gate = Promise.withResolvers<undefined>();
  home.answer = () => ({ ...home.served(), after: gate.promise });
  const waits = gateway.ask('/waits', headers);
  await sent('/waits');
  await until('it is unhealthy', () => stateOf(home) === 'unhealthy');
  const before = home.hellos;
  await until('it was asked again', () => home.hellos >= before + 2);
  gate.resolve(undefined);
  assert.equal((await waits).text, home.name);
});

test('a bare application that is silent only at its health path loses no request: nobody knows that it is not just slow', async (t) => {
  const { gateway, home, sent, stateOf } = await two(t, { probeTimeoutMs: 200, path: '/up', sidecars: false });
  const gate = Promise.withResolvers<undefined>();
  home.answer = () => ({ after: gate.promise });
  const waits = gateway.ask('/waits', headers);
  await sent('/waits');
  await until('it is unhealthy', () => stateOf(home) === 'unhealthy');
  const probes = (): number => home.requests.filter(({ target }) => target === '/up').length;
  const before = probes();
  await until('it was asked again', () => probes() >= before + 2);
  gate.resolve(undefined);
  assert.equal((await waits).text, home.name);
});
