/** What becomes of pods when their source lists others, or says something else of them. */

import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';

import type { ListedPod } from '../../src/pods/pod-set.ts';
import { freePort } from '../support/free-port.ts';
import { ScriptedSidecar } from '../support/scripted-sidecar.ts';
import { until } from '../support/until.ts';
import { watched } from './watched-pods.ts';

/** As Kubernetes lists it. */
function listed(sidecar: ScriptedSidecar, over: Partial<ListedPod> = {}): ListedPod {
  return { ...sidecar.listed, uid: `listed-${sidecar.name}`, ...over };
}

test('a pod that is listed later is asked at once and starts slowly; one that is not listed any more is forgotten', async (t) => {
  const one = await ScriptedSidecar.start(t, 'pod-a');
  const other = await ScriptedSidecar.start(t, 'pod-b');
  const { watch, clock, pod } = watched(t, [listed(one)]);
  await watch.start();
  watch.list([listed(one), listed(other)]);
  assert.deepEqual([pod('pod-b').state, pod('pod-b').uid, watch.complete], ['unhealthy', '', false]);
  await until('it has said who it is', () => pod('pod-b').state === 'ready');
  assert.deepEqual([pod('pod-b').uid, watch.complete], ['pod-b-uid', true]);
  assert.equal(pod('pod-b').warmingSinceMs, clock.monotonicMs());
  assert.equal(pod('pod-a').warmingSinceMs, undefined);
  watch.list([listed(other)]);
  assert.deepEqual(
    [watch.set.pods, watch.set.gone].map((pods) => pods.map(({ name, state }) => `${name} ${state}`)),
    [['pod-b ready'], ['pod-a gone']],
  );
  assert.equal(watch.set.byDigest.get('pod-a/pod-a-uid')?.state, 'gone', 'its pins still name it');
  await until('one timer is left', () => clock.pending === 1);
});

test('a pod whose address changes stays the pod it was, and is asked there at once', async (t) => {
  const before = await ScriptedSidecar.start(t, 'pod-a');
  const after = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, pod } = watched(t, [listed(before)]);
  await watch.start();
  pod('pod-a').load.inFlight = 3;
  watch.list([listed(after)]);
  assert.deepEqual([pod('pod-a').state, pod('pod-a').uid, pod('pod-a').address], ['ready', 'pod-a-uid', after.address]);
  assert.equal(pod('pod-a').load.inFlight, 3);
  await until('it is asked', () => after.hellos === 1);
});

test('a pod that its source calls terminating drains, whatever its sidecar says, and stays so', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, pod, sees } = watched(t, [listed(sidecar)]);
  await watch.start();
  watch.list([listed(sidecar, { condition: 'terminating' })]);
  assert.deepEqual([pod('pod-a').state, pod('pod-a').why], ['draining', 'terminating']);
  await sees('it was asked again', () => sidecar.hellos > 2);
  watch.refused(pod('pod-a'));
  watch.refused(pod('pod-a'));
  assert.equal(pod('pod-a').state, 'draining');
  watch.list([listed(sidecar, { condition: 'ending' })]);
  assert.deepEqual([pod('pod-a').state, watch.set.draining.length], ['draining', 1]);
  assert.match(pod('pod-a').why, /no longer ready/);
});

test('a pod that its source calls not ready is unhealthy with that reason, and starts slowly when it is ready', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, clock, pod } = watched(t, [listed(sidecar, { condition: 'not-ready' })]);
  await watch.start();
  assert.deepEqual([pod('pod-a').state, pod('pod-a').uid], ['unhealthy', 'pod-a-uid']);
  assert.match(pod('pod-a').why, /^not ready/);
  clock.advance(10);
  watch.list([listed(sidecar)]);
  assert.deepEqual([pod('pod-a').state, pod('pod-a').warmingSinceMs], ['ready', 10]);
});

test('the same name under another uid of its source is another pod, and nothing is held against it', async (t) => {
  const old = await ScriptedSidecar.start(t, 'pod-a');
  const fresh = await ScriptedSidecar.start(t, 'pod-a');
  fresh.hello = { ...fresh.hello, uid: 'second' };
  const { watch, pod } = watched(t, [listed(old)]);
  await watch.start();
  watch.refused(pod('pod-a'));
  watch.refused(pod('pod-a'));
  pod('pod-a').load.inFlight = 5;
  watch.list([listed(fresh, { uid: 'another' })]);
  assert.deepEqual([pod('pod-a').uid, pod('pod-a').load.inFlight], ['', 0]);
  assert.equal(watch.set.byDigest.get('pod-a/pod-a-uid')?.state, 'gone');
  assert.equal(watch.podOf('pod-a-uid'), undefined);
  await until('it has said who it is', () => pod('pod-a').state === 'ready');
  assert.deepEqual([pod('pod-a').uid, watch.healthOf('pod-a')?.ejections], ['second', 0]);
});

test('a pod that is in no slice for a moment is the pod it was when it is back, and serves at once', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, pod } = watched(t, [listed(sidecar)]);
  await watch.start();
  watch.list([]);
  assert.equal(watch.set.pods.length, 0);
  watch.list([listed(sidecar)]);
  assert.deepEqual([pod('pod-a').state, pod('pod-a').uid, watch.set.gone.length], ['ready', 'pod-a-uid', 0]);
  assert.equal(watch.set.byDigest.get('pod-a/pod-a-uid'), pod('pod-a'));
});

test('an answer from where a pod was does not count for where it is: it is asked again there', async (t) => {
  const gate = Promise.withResolvers<Socket>();
  const slow = createServer((socket) => gate.resolve(socket.on('error', () => undefined)));
  const port = await freePort();
  await new Promise<void>((resolve) => slow.listen(port, '127.0.0.1', resolve));
  t.after(() => slow.close());
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, clock, pod } = watched(t, [listed(sidecar, { address: { host: '127.0.0.1', port } })], {
    timeoutMs: 60_000,
  });
  void watch.start();
  const socket = await gate.promise;
  watch.list([listed(sidecar)]);
  socket.destroy();
  await until('it has said who it is', () => {
    clock.advance(1);
    return pod('pod-a').state === 'ready';
  });
  assert.equal(watch.healthOf('pod-a')?.doubts, 0);
});

test('a bare application is called as its source calls it, so that a pin of the pod before it is none of its own', async (t) => {
  const bare = await ScriptedSidecar.start(t, 'pod-a');
  const { watch, pod } = watched(t, [listed(bare)], { hello: undefined });
  await watch.start();
  assert.equal(watch.set.byDigest.get('pod-a/listed-pod-a'), pod('pod-a'));
  watch.list([listed(bare, { uid: 'another' })]);
  assert.deepEqual([pod('pod-a').uid, pod('pod-a').state], ['another', 'ready']);
  assert.equal(watch.set.byDigest.get('pod-a/listed-pod-a')?.state, 'gone');
});

test('of 300 pods that come at once each is asked, and those that left before their turn are not', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-x');
  const { watch, clock } = watched(t, [], { timeoutMs: 60_000, hello: undefined });
  await watch.start();
  const many = Array.from({ length: 300 }, (_, index) => ({ name: `pod-${index}`, address: sidecar.address }));
  watch.list(many);
  watch.list(many.slice(0, 290));
  await until('all were asked', () => watch.complete);
  await until('one timer a pod', () => clock.pending === 290);
  watch.stop();
  watch.list(many);
  assert.deepEqual([clock.pending, watch.set.pods.length], [0, 290]);
});

test('who answers at the address of a terminating pod and is another one is not told that it is terminating', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  const gone = { ...sidecar.hello, uid: 'listed-pod-a', run: 'run-a' };
  const next = { ...gone, uid: 'listed-pod-c', run: 'run-c' };
  sidecar.hello = gone;
  const late = watched(t, [listed(sidecar)]);
  await late.watch.start();
  late.watch.list([listed(sidecar, { condition: 'terminating' })]);
  sidecar.hello = next;
  await late.sees('it is seen to be another', () =>
    /another pod answers/.test(late.watch.healthOf('pod-a')?.probeWhy ?? ''),
  );
  assert.deepEqual([late.pod('pod-a').state, late.pod('pod-a').uid], ['draining', 'listed-pod-a']);
  // One that began when the list was old already can't tell it from a sidecar that makes its own uid.
  const fresh = watched(t, [listed(sidecar, { condition: 'terminating' })]);
  await fresh.watch.start();
  const asked = sidecar.hellos;
  await fresh.sees('it was asked again', () => sidecar.hellos > asked + 2);
  assert.deepEqual([sidecar.toldTerminating, sidecar.hello.draining], [0, false]);
});

test('an address that has become another pod that is listed too is unhealthy, and no pod twice', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-c');
  sidecar.hello = { ...sidecar.hello, uid: 'listed-pod-c' };
  const { watch, pod } = watched(t, [listed(sidecar), { ...listed(sidecar), name: 'pod-a', uid: 'listed-pod-a' }]);
  await watch.start();
  assert.deepEqual([pod('pod-c').state, pod('pod-a').state, pod('pod-a').uid], ['ready', 'unhealthy', '']);
  assert.equal(watch.podOf('listed-pod-c'), pod('pod-c'));
});

test('a terminating pod that calls itself as its source does is told so', async (t) => {
  const sidecar = await ScriptedSidecar.start(t, 'pod-a');
  sidecar.hello = { ...sidecar.hello, uid: 'listed-pod-a', run: 'run-a' };
  const { watch, sees } = watched(t, [listed(sidecar, { condition: 'terminating' })]);
  await watch.start();
  await sees('it is told', () => sidecar.hello.draining);
});
