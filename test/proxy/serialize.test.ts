/** `sessions.serialize`: requests of one session reach the application one at a time, and nobody waits for ever. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatAddress } from '../../src/base/address.ts';
import type { Verdict } from '../../src/sessions/stay.ts';
import { until } from '../support/until.ts';
import { cookieName, session, SidecarUnderTest } from './sidecar-under-test.ts';

const cookie = `${cookieName}=${session}`;
const turnMs = 60_000;

test('a second request of a session reaches the application when the first one is stored', async (t) => {
  const sidecar = await SidecarUnderTest.start(t, { turnMs });
  const more = Promise.withResolvers<string>();
  const verdict = Promise.withResolvers<Verdict>();
  sidecar.application.answer = () => ({ body: 'begun, ', more: more.promise });
  sidecar.gate.verdict = () => verdict.promise;
  const first = sidecar.ask('/first', { cookie });
  await until('the first is at the application', () => sidecar.application.requests.length === 1);
  const second = sidecar.ask('/second', { cookie });
  sidecar.application.answer = () => ({ body: 'second' });
  more.resolve('ended');
  await until('the keeper was asked', () => sidecar.gate.stays.some(({ told }) => told.includes('settle')));
  assert.ok(!sidecar.application.requests.some(({ target }) => target === '/second'));
  verdict.resolve({ kind: 'leave' });
  assert.deepEqual([(await first).text, (await second).text], ['begun, ended', 'second']);
});

test('without serialize they are at the application side by side', async (t) => {
  const sidecar = await SidecarUnderTest.start(t);
  const more = Promise.withResolvers<string>();
  sidecar.application.answer = () => ({ body: 'begun, ', more: more.promise });
  const both = [sidecar.ask('/first', { cookie }), sidecar.ask('/second', { cookie })];
  await until('both are there', () => sidecar.application.requests.length === 2);
  more.resolve('ended');
  for (const answer of both) assert.equal((await answer).status, 200);
});

test('a stream of events holds up nobody once its head is here', async (t) => {
  const sidecar = await SidecarUnderTest.start(t, { turnMs });
  const more = Promise.withResolvers<string>();
  const headers = { 'content-type': 'Text/Event-Stream; charset=utf-8' };
  sidecar.application.answer = () => ({ headers, body: 'data: 1', more: more.promise });
  const stream = sidecar.ask('/events', { cookie });
  await until('it streams', () => sidecar.gate.stays.some(({ told }) => told.includes('answered none')));
  sidecar.application.answer = () => ({ body: 'beside it' });
  assert.equal((await sidecar.ask('/', { cookie })).text, 'beside it');
  more.resolve('');
  await stream;
});

test('who waits longer than timeouts.turn is told so, and not tried at another pod', async (t) => {
  const sidecar = await SidecarUnderTest.start(t, { turnMs: 50 });
  const more = Promise.withResolvers<string>();
  sidecar.application.answer = () => ({ body: 'begun, ', more: more.promise });
  const first = sidecar.ask('/first', { cookie });
  await until('the first is at the application', () => sidecar.application.requests.length === 1);
  const answer = await sidecar.ask('/second', { cookie });
  assert.deepEqual([answer.status, answer.headers['x-holdfast-own']], [503, 'unsent; turn-timeout']);
  more.resolve('ended');
  assert.equal((await first).status, 200);
  assert.equal(sidecar.application.requests.length, 1);
});

test('a client that goes away leaves the queue', async (t) => {
  const sidecar = await SidecarUnderTest.start(t, { turnMs });
  const more = Promise.withResolvers<string>();
  sidecar.application.answer = () => ({ body: 'begun, ', more: more.promise });
  const first = sidecar.ask('/first', { cookie });
  await until('the first is at the application', () => sidecar.application.requests.length === 1);
  const gone = await sidecar.under.client();
  gone.send(`GET /gone HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\n\r\n`);
  await until('it waits', () => sidecar.under.proxy.inFlight === 2);
  const third = sidecar.ask('/third', { cookie });
  await until('the third waits', () => sidecar.under.proxy.inFlight === 3);
  gone.reset();
  await until('it is gone', () => sidecar.under.proxy.inFlight === 2);
  sidecar.application.answer = () => ({ body: 'third' });
  more.resolve('ended');
  assert.deepEqual([(await first).status, (await third).text], [200, 'third']);
  assert.deepEqual(
    sidecar.application.requests.map(({ target }) => target),
    ['/first', '/third'],
  );
});

test('a forwarded request takes its turn at the pod that serves it, and none where it came in', async (t) => {
  const here = await SidecarUnderTest.start(t, { uid: 'here', turnMs });
  const there = await SidecarUnderTest.start(t, { uid: 'there', turnMs });
  here.gate.admission = () => ({ kind: 'elsewhere', owner: there.owner, epoch: 3 });
  const more = Promise.withResolvers<string>();
  there.application.answer = () => ({ body: 'begun, ', more: more.promise });
  const first = here.ask('/first', { cookie });
  await until('the first is at the application', () => there.application.requests.length === 1);
  const second = here.ask('/second', { cookie });
  await until('the second waits there', () => there.under.proxy.inFlight === 2);
  assert.equal(here.gate.asks.length, 2, `nothing waits at ${formatAddress(here.under.address)}`);
  there.application.answer = () => ({ body: 'second' });
  more.resolve('ended');
  assert.deepEqual([(await first).text, (await second).text], ['begun, ended', 'second']);
});
