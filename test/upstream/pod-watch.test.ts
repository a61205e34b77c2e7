import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';

import { createLog } from '../../src/base/log.ts';
import type { Pod } from '../../src/pods/pod.ts';
import { freePort } from '../support/free-port.ts';
import { ScriptedSidecar, testSecrets } from '../support/scripted-sidecar.ts';
import { until } from '../support/until.ts';
import { intervalMs, watched } from './watched-pods.ts';

test('a sidecar is not ready before it has said who it is', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, pod } = watched(t, [sidecar.listed]);
  assert.deepEqual([pod('pod-a').state, pod('pod-a').uid], ['unhealthy', '']);
  assert.match(pod('pod-a').why, /has not said who it is/);
  await watch.start();
  assert.deepEqual([pod('pod-a').state, pod('pod-a').uid, watch.complete], ['ready', 'pod-a-uid', true]);
  assert.equal(watch.set.byDigest.get('pod-a/pod-a-uid'), pod('pod-a'));
});

test('a sidecar that never answered stays unhealthy, with the reason, also where several fails are allowed', async (t) => {
  const nobody = { name: 'pod-a', address: { host: '127.0.0.1', port: await freePort() } };
  const { watch, pod } = watched(t, [nobody], { rules: { fails: 100, passes: 1 } });
  await watch.start();
  assert.equal(watch.complete, true, 'it was asked');
  assert.deepEqual([pod('pod-a').state, watch.set.ready.length], ['unhealthy', 0]);
  assert.match(pod('pod-a').why, /ECONNREFUSED/);
});

test('a sidecar that starts later than the gateway is known soon after it answers, whatever the interval', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  sidecar.secrets = undefined;
  const { watch, clock, pod } = watched(t, [sidecar.listed], { intervalMs: 3_600_000 });
  await watch.start();
  assert.equal(pod('pod-a').state, 'unhealthy');
  sidecar.secrets = testSecrets;
  clock.advance(500);
  await until('it is known', () => pod('pod-a').state === 'ready');
  await until('then at the interval', () => clock.pending === 1);
  clock.advance(500);
  assert.equal(sidecar.hellos, 1);
});

test('a pod that its source calls terminating drains from the start, and its sidecar is told until it is gone', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  sidecar.hello = { ...sidecar.hello, run: 'run-1' };
  const { watch, clock, pod, sees } = watched(t, [{ ...sidecar.listed, condition: 'terminating' }]);
  assert.deepEqual([pod('pod-a').state, pod('pod-a').why], ['draining', 'terminating']);
  await watch.start();
  assert.deepEqual([sidecar.toldTerminating, pod('pod-a').state, pod('pod-a').uid], [0, 'draining', 'pod-a-uid']);
  clock.advance(500);
  await until('told long before the interval is over', () => sidecar.toldTerminating === 1);
  await sees('told with the next questions too', () => sidecar.toldTerminating >= 3);
  sidecar.hello = { ...sidecar.hello, run: 'run-2', draining: false };
  await sees('another process of it is told as well', () => sidecar.hello.draining);
  assert.equal(pod('pod-a').why, 'terminating');
});

test('a sidecar that knows no word of its end is not asked more often for it, and one that is not terminating is told nothing', async (t) => {
  const old = await ScriptedSidecar.start(t, 'pod-a');
  const staying = await ScriptedSidecar.start(t, 'pod-b');
  staying.hello = { ...staying.hello, run: 'run-1' };
  const { watch, clock, sees } = watched(t, [{ ...old.listed, condition: 'terminating' }, staying.listed]);
  await watch.start();
  clock.advance(500);
  assert.equal(old.hellos, 1);
  await sees('both were asked again', () => old.hellos >= 3 && staying.hellos >= 3);
  assert.deepEqual([old.toldTerminating, staying.toldTerminating, staying.hello.draining], [0, 0, false]);
});

test('bare applications are ready at once and are asked by a connection', async (t) => {
  const bare = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, pod, sees } = watched(t, [bare.listed], { hello: undefined });
  assert.equal(pod('pod-a').state, 'ready');
  await watch.start();
  assert.deepEqual([pod('pod-a').state, pod('pod-a').uid, bare.hellos], ['ready', '', 0]);
  bare.kill();
  await sees('it is missed', () => pod('pod-a').state === 'unhealthy');
});

test('a pod that stops answering is unhealthy after the configured fails, and healthy again by a passed probe', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, pod, sees } = watched(t, [sidecar.listed]);
  await watch.start();
  sidecar.hello = { ...sidecar.hello, application: 'down' };
  await sees('it is unhealthy', () => pod('pod-a').state === 'unhealthy');
  assert.match(pod('pod-a').why, /application does not answer/);
  assert.ok(sidecar.hellos >= 3, 'one failed probe is not enough');
  sidecar.hello = { ...sidecar.hello, application: 'up' };
  await sees('it is back', () => pod('pod-a').state === 'ready');
});

test('a pod that says it drains is draining, until it says otherwise', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, pod, sees } = watched(t, [sidecar.listed]);
  sidecar.hello = { ...sidecar.hello, draining: true };
  await watch.start();
  assert.equal(pod('pod-a').state, 'draining');
  sidecar.hello = { ...sidecar.hello, draining: false };
  await sees('it is ready', () => pod('pod-a').state === 'ready');
});

test('another uid under the same name is another pod: the old one is gone, and nothing is held against the new one', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, pod, sees } = watched(t, [sidecar.listed]);
  await watch.start();
  const old = pod('pod-a');
  old.load.inFlight = 7;
  for (let times = 0; times < 3; times++) watch.refused(old);
  assert.equal(pod('pod-a').state, 'unhealthy');
  sidecar.hello = { ...sidecar.hello, uid: 'second' };
  await sees('the new uid', () => pod('pod-a').uid === 'second');
  const { inFlight, refusedAtMs } = pod('pod-a').load;
  assert.deepEqual([pod('pod-a').state, inFlight, refusedAtMs], ['ready', 0, undefined]);
  assert.deepEqual(
    watch.set.gone.map(({ name, uid, state }) => [name, uid, state]),
    [['pod-a', 'pod-a-uid', 'gone']],
  );
  assert.equal(watch.set.byDigest.get('pod-a/pod-a-uid')?.state, 'gone');
});

test('a pod whose answers are not its own is asked again soon, and once', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, clock, pod } = watched(t, [sidecar.listed]);
  await watch.start();
  sidecar.hello = { ...sidecar.hello, uid: 'second' };
  for (let times = 0; times < 100; times++) watch.doubted(pod('pod-a'));
  assert.equal(clock.pending, 1);
  clock.advance(200);
  await until('the new uid', () => pod('pod-a').uid === 'second');
  assert.equal(sidecar.hellos, 2);
  assert.equal(watch.podOf('second'), pod('pod-a'));
  assert.equal(watch.podOf('pod-a-uid'), undefined);
  assert.equal(watch.podOf(''), undefined);
});

test('connections that are refused eject a pod at once, a connection brings it back', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, clock, pod } = watched(t, [sidecar.listed]);
  await watch.start();
  watch.refused(pod('pod-a'));
  assert.deepEqual([pod('pod-a').state, pod('pod-a').load.refusedAtMs], ['ready', clock.monotonicMs()]);
  watch.refused(pod('pod-a'));
  assert.equal(pod('pod-a').state, 'unhealthy');
  watch.connected(pod('pod-a'));
  assert.deepEqual([pod('pod-a').state, pod('pod-a').load.refusedAtMs], ['ready', undefined]);
});

test('an ejected pod is asked when its time is up, not an interval later', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, clock, pod } = watched(t, [sidecar.listed], { intervalMs: 3_600_000 });
  await watch.start();
  watch.refused(pod('pod-a'));
  watch.refused(pod('pod-a'));
  clock.advance(999);
  assert.deepEqual([pod('pod-a').state, sidecar.hellos], ['unhealthy', 1]);
  clock.advance(2);
  await until('it is asked', () => sidecar.hellos === 2);
  await until('it is ready', () => pod('pod-a').state === 'ready');
});

test('an ejection ends in its time although a probe that was under way fails meanwhile', async (t) => {
  const gate = Promise.withResolvers<Socket>();
  const slow = createServer((socket) => gate.resolve(socket.on('error', () => undefined)));
  const port = await freePort();
  await new Promise<void>((resolve) => slow.listen(port, '127.0.0.1', resolve));
  t.after(() => slow.close());
  const listed = { name: 'pod-a', address: { host: '127.0.0.1', port } };
  const over = { hello: undefined, path: '/up', intervalMs: 3_600_000, rules: { fails: 2, passes: 1 } };
  const { watch, clock, pod } = watched(t, [listed], over);
  const started = watch.start();
  const socket = await gate.promise;
  watch.refused(pod('pod-a'));
  watch.refused(pod('pod-a'));
  socket.destroy();
  await started;
  assert.equal(pod('pod-a').state, 'unhealthy');
  clock.advance(1001);
  assert.equal(pod('pod-a').state, 'ready');
});

test('a pod that comes back, or later than the gateway, starts slowly; one that answers at once does not', async (t) => {
  const one = await ScriptedSidecar.start(t, 'pod-a');
  const late = await ScriptedSidecar.start(t, 'pod-b');
  late.secrets = undefined;
  const { watch, clock, pod, sees } = watched(t, [one.listed, late.listed]);
  await watch.start();
  assert.deepEqual([pod('pod-a').state, pod('pod-a').warmingSinceMs], ['ready', undefined]);
  late.secrets = testSecrets;
  await sees('the late one', () => pod('pod-b').state === 'ready');
  assert.equal(pod('pod-b').warmingSinceMs, pod('pod-b').sinceMs);
  assert.equal(watch.set.warmingSinceMs, pod('pod-b').sinceMs);
  watch.refused(pod('pod-a'));
  watch.refused(pod('pod-a'));
  assert.match(pod('pod-a').why, /^2 connections were refused/);
  clock.advance(500);
  watch.connected(pod('pod-a'));
  assert.deepEqual([pod('pod-a').state, pod('pod-a').warmingSinceMs], ['ready', clock.monotonicMs()]);
  assert.equal(watch.ejections, 1);
});

test('pods are asked spread over the interval, not all in one tick', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-x');
  const names = Array.from({ length: 20 }, (_, index) => `pod-${String(index).padStart(2, '0')}`);
  const { watch, clock } = watched(
    t,
    names.map((name) => ({ name, address: sidecar.address })),
    { timeoutMs: 60_000 },
  );
  await watch.start();
  for (let part = 1; part <= 20; part++) {
    clock.advance(intervalMs / 20);
    await until(`${part} are asked`, () => sidecar.hellos === 20 + part);
  }
});

test('a panic is told once, and its end', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const lines: string[] = [];
  const told = createLog({ level: 'info', destination: { write: (line: string) => void lines.push(line) } });
  const { watch, pod } = watched(t, [sidecar.listed], { log: told });
  await watch.start();
  for (let times = 0; times < 9; times++) watch.refused(pod('pod-a'));
  assert.equal(watch.set.panic, true);
  watch.connected(pod('pod-a'));
  const words = lines.join('');
  assert.equal(words.split('more than half of the pods look unhealthy').length, 2);
  assert.equal(words.split('less than half of the pods').length, 2);
});

test('one sidecar without its store is enough to say so, as long as it is there', async (t) => {
  const one = await ScriptedSidecar.start(t, 'pod-a');
  const other = await ScriptedSidecar.start(t, 'pod-b');
  const { watch, pod, sees } = watched(t, [one.listed, other.listed]);
  await watch.start();
  assert.equal(watch.storeDown, false);
  other.hello = { ...other.hello, store: 'down' };
  await sees('the store is down', () => watch.storeDown);
  other.kill();
  await sees('a pod that is gone says nothing', () => pod('pod-b').state === 'unhealthy');
  assert.equal(watch.storeDown, false);
});

test('a pod that takes long to answer does not count as asked because others were asked twice', async (t) => {
  const quick = await ScriptedSidecar.start(t, 'pod-a');
  const sockets: Socket[] = [];
  const slow = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
  const port = await freePort();
  await new Promise<void>((resolve) => slow.listen(port, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    slow.close();
  });
  const pods = [quick.listed, { name: 'pod-b', address: { host: '127.0.0.1', port } }];
  const { watch, sees } = watched(t, pods, { timeoutMs: 60_000 });
  void watch.start();
  await sees('the quick one was asked often', () => quick.hellos > 3);
  assert.equal(watch.complete, false);
});

test('250 pods are asked at the start, all become ready, and each is found by its pin', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-x');
  const names = Array.from({ length: 250 }, (_, index) => `pod-${String(index).padStart(3, '0')}`);
  const { watch, clock } = watched(
    t,
    names.map((name) => ({ name, address: sidecar.address })),
    { timeoutMs: 60_000 },
  );
  await watch.start();
  assert.deepEqual([watch.complete, watch.set.ready.length, sidecar.hellos], [true, 250, 250]);
  assert.equal(clock.pending, 250, 'one timer a pod');
  for (const name of names) assert.equal(watch.set.byDigest.get(`${name}/pod-x-uid`)?.name, name);
});

test('after its end nothing is asked and no timer is left', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, clock } = watched(t, [sidecar.listed]);
  await watch.start();
  watch.stop();
  assert.equal(clock.pending, 0);
  const starting = watched(t, [sidecar.listed]);
  const started = starting.watch.start();
  starting.watch.stop();
  await started;
  assert.equal(starting.clock.pending, 0);
  assert.equal(starting.watch.complete, false);
});

test('a sidecar that says no word is told of as silent, again after each question: who waits for four seconds is concerned', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const told: (readonly [string, number])[] = [];
  const { clock, watch, sees } = watched(t, [sidecar.listed], {
    timeoutMs: 250,
    rules: { fails: 3, passes: 1 },
    silent: ({ name, state }, beforeMs) => void told.push([`${name} is ${state}`, clock.monotonicMs() - beforeMs]),
  });
  await watch.start();
  sidecar.unansweredHellos = 2;
  await sees('two in vain are not enough', () => sidecar.hellos >= 5);
  assert.deepEqual(told, []);
  sidecar.unansweredHellos = Infinity;
  await sees('it is told twice', () => told.length === 2);
  assert.deepEqual(told, [
    ['pod-a is unhealthy', 4000],
    ['pod-a is unhealthy', 4000],
  ]);
});

test('a pod that refuses, a sidecar without its application, and a bare application that says no word are not silent', async (t) => {
  const down = await ScriptedSidecar.start(t, 'pod-a');
  down.hello = { ...down.hello, application: 'down' };
  const nobody = { name: 'pod-b', address: { host: '127.0.0.1', port: await freePort() } };
  const mute = await ScriptedSidecar.start(t, 'pod-c');
  mute.answer = () => ({ after: new Promise(() => undefined) });
  const over = { timeoutMs: 250, silent: ({ name }: Pod) => assert.fail(name) };
  const sidecars = watched(t, [down.listed, nobody], over);
  const bare = watched(t, [mute.listed], { ...over, hello: undefined, path: '/up' });
  await Promise.all([sidecars.watch.start(), bare.watch.start()]);
  await sidecars.sees('it was asked often', () => down.hellos > 5);
  await bare.sees('and the other', () => mute.requests.length > 5);
  assert.deepEqual([sidecars.watch.set.unhealthy.length, bare.watch.set.unhealthy.length], [2, 1]);
});

test('a sidecar that says no word is asked again an interval after the question, not after its time is over', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, clock } = watched(t, [sidecar.listed], { timeoutMs: 1000 });
  await watch.start();
  sidecar.unansweredHellos = 1;
  clock.advance(intervalMs);
  await until('it is asked', () => sidecar.hellos === 2);
  clock.advance(intervalMs - 1);
  await until('its time is over', () => clock.pending === 1);
  clock.advance(1);
  await until('it is asked again', () => sidecar.hellos === 3);
});
