import assert from 'node:assert/strict';
import test from 'node:test';
import { enterPod, leavePod, type Pod } from '../../src/pods/pod.ts';
import { emptyPodSet, withPods, withState, withUid, type ListedPod, type PodSet } from '../../src/pods/pod-set.ts';

const address = { host: '10.1.0.4', port: 8080 };
const empty = emptyPodSet((name, uid) => [`1:${name}/${uid}`, `2:${name}/${uid}`]);

const at = { nowMs: 5, warm: false };

function listed(name: string, over: Partial<ListedPod> = {}): ListedPod {
  return { name, address, ...over };
}

function states(set: PodSet): string[] {
  return set.pods.map((pod) => `${pod.name} ${pod.uid} ${pod.state}`);
}

test('listed pods are ready, sorted by name, and found by name and by each digest', () => {
  const set = withPods(empty, [listed('b', { uid: '2' }), listed('a', { uid: '1' })]);
  assert.deepEqual(states(set), ['a 1 ready', 'b 2 ready']);
  assert.equal(set.byName.get('a'), set.pods[0]);
  assert.equal(set.byDigest.get('1:b/2'), set.pods[1]);
  assert.equal(set.byDigest.get('2:b/2'), set.pods[1]);
  assert.equal(set.byDigest.get('1:b/1'), undefined);
});

test('a set never changes; a change makes a new one', () => {
  const before = withPods(empty, [listed('a')]);
  const after = withState(before, 'a', { state: 'unhealthy', why: 'test' }, at);
  assert.deepEqual(states(before), ['a  ready']);
  assert.deepEqual(states(after), ['a  unhealthy']);
  assert.equal(withState(after, 'a', { state: 'unhealthy', why: 'test' }, at), after);
  assert.equal(withState(after, 'nobody', { state: 'ready', why: '' }, at), after);
});

test('a pod that is listed again keeps load, state and learned uid, and takes the new address', () => {
  let set = withUid(withPods(empty, [listed('a')]), 'a', 'uid-1', 5);
  set.byName.get('a')!.load.inFlight = 7;
  set = withState(set, 'a', { state: 'unhealthy', why: 'probe' }, at);
  const moved = { host: '10.1.0.9', port: 8080 };
  const pod = withPods(set, [listed('a', { address: moved }), listed('b')]).byName.get('a');
  assert.deepEqual(pod, {
    name: 'a',
    uid: 'uid-1',
    listedUid: undefined,
    address: moved,
    condition: 'ready',
    zone: undefined,
    state: 'unhealthy',
    why: 'probe',
    sinceMs: 5,
    warmingSinceMs: undefined,
    load: { inFlight: 7, sum: undefined },
  });
});

test('a terminating pod drains whatever was said of it', () => {
  const set = withPods(withPods(empty, [listed('a')]), [listed('a', { condition: 'terminating' })]);
  assert.deepEqual(states(set), ['a  draining']);
  assert.equal(set.pods[0]?.why, 'terminating');
});

test('a pod that is no longer listed is gone, and still found by its digest', () => {
  const set = withPods(withPods(empty, [listed('a', { uid: '1' }), listed('b', { uid: '2' })]), [
    listed('b', { uid: '2' }),
  ]);
  assert.deepEqual(states(set), ['b 2 ready']);
  assert.equal(set.byName.get('a'), undefined);
  assert.equal(set.byDigest.get('1:a/1')?.state, 'gone');
  assert.deepEqual(
    set.gone.map((pod) => pod.name),
    ['a'],
  );
});

test('a pod that comes back under its uid is no longer gone', () => {
  const pods = [listed('a', { uid: '1' })];
  const set = withPods(withPods(withPods(empty, pods), []), pods);
  assert.deepEqual(set.gone, []);
  assert.equal(set.byDigest.get('1:a/1')?.state, 'ready');
});

test('the same name with another uid is another pod, from the source or by its own word', () => {
  const first = withPods(empty, [listed('a', { uid: '1' })]);
  first.byName.get('a')!.load.inFlight = 5;
  for (const set of [withPods(first, [listed('a', { uid: '2' })]), withUid(first, 'a', '2', 5)]) {
    assert.deepEqual(states(set), ['a 2 ready']);
    assert.equal(set.byName.get('a')?.load.inFlight, 0);
    assert.equal(set.byDigest.get('1:a/1')?.state, 'gone');
  }
});

test('a uid that is learned makes no other pod of it', () => {
  const first = withPods(empty, [listed('a')]);
  first.byName.get('a')!.load.inFlight = 5;
  const set = withUid(first, 'a', '1', 5);
  assert.equal(set.byName.get('a')?.load.inFlight, 5);
  assert.deepEqual(set.gone, []);
  assert.equal(withUid(set, 'a', '1', 5), set);
  assert.equal(withUid(set, 'nobody', '1', 5), set);
});

test('more than half unhealthy is a panic, half is not', () => {
  const three = withPods(empty, [listed('a'), listed('b'), listed('c'), listed('d')]);
  const ill = (...names: string[]) =>
    names.reduce((set, name) => withState(set, name, { state: 'unhealthy', why: '' }, at), three);
  assert.equal(ill('a', 'b').panic, false);
  assert.equal(ill('a', 'b', 'c').panic, true);
  assert.deepEqual(
    ill('a', 'b').ready.map((pod) => pod.name),
    ['c', 'd'],
  );
  assert.equal(empty.panic, false);
});

test('pods that are gone are remembered up to a bound, the newest first', () => {
  let set = empty;
  for (let index = 0; index < 300; index++) set = withPods(set, [listed(`pod-${index}`)]);
  assert.equal(set.gone.length, 256);
  assert.equal(set.gone[0]?.name, 'pod-298');
  assert.equal(set.byDigest.has('1:pod-0/'), false);
});

test('a pod that was unhealthy is cold when it is ready again, one that drained or is called warm is not', () => {
  const one = withPods(empty, [listed('a')]);
  const unhealthy = withState(one, 'a', { state: 'unhealthy', why: '' }, { nowMs: 10, warm: false });
  const back = withState(unhealthy, 'a', { state: 'ready', why: '' }, { nowMs: 20, warm: false });
  assert.deepEqual([back.pods[0]?.sinceMs, back.pods[0]?.warmingSinceMs, back.warmingSinceMs], [20, 20, 20]);
  const said = withState(back, 'a', { state: 'ready', why: 'other words' }, { nowMs: 30, warm: false });
  assert.deepEqual([said.pods[0]?.sinceMs, said.pods[0]?.warmingSinceMs], [20, 20], 'words are no change of state');
  const warm = withState(unhealthy, 'a', { state: 'ready', why: '' }, { nowMs: 20, warm: true });
  assert.deepEqual([warm.pods[0]?.warmingSinceMs, warm.warmingSinceMs], [undefined, -Infinity]);
  const draining = withState(one, 'a', { state: 'draining', why: '' }, { nowMs: 10, warm: false });
  assert.equal(
    withState(draining, 'a', { state: 'ready', why: '' }, { nowMs: 20, warm: false }).warmingSinceMs,
    -Infinity,
  );
  const other = withUid(withUid(one, 'a', '1', 5), 'a', '2', 40);
  assert.deepEqual([other.pods[0]?.sinceMs, other.warmingSinceMs], [40, 40], 'another pod under the same name is new');
});

test('names are one list as long as they are the same, whatever changes beside them', () => {
  const first = withPods(empty, [listed('b'), listed('a')]);
  const ill = withState(first, 'a', { state: 'unhealthy', why: '' }, at);
  const again = withPods(withUid(ill, 'a', '1', 5), [listed('a'), listed('b', { condition: 'terminating' })]);
  assert.deepEqual(first.names, ['a', 'b']);
  assert.equal(again.names, first.names);
  assert.deepEqual(withPods(again, [listed('b'), listed('c')]).names, ['b', 'c']);
});

test('what is in flight at the ready pods together is kept while exchanges come and go, and pods change', () => {
  let set = withPods(empty, [listed('a'), listed('b'), listed('c')]);
  const [a, b, c] = set.pods as [Pod, Pod, Pod];
  for (const pod of [a, a, b, c]) enterPod(pod);
  assert.equal(set.readyLoad.inFlight, 4);
  leavePod(b);
  assert.equal(set.readyLoad.inFlight, 3);
  set = withState(set, 'a', { state: 'unhealthy', why: 'test' }, at);
  assert.equal(set.readyLoad.inFlight, 1);
  leavePod(a);
  assert.equal(set.readyLoad.inFlight, 1);
  set = withState(set, 'a', { state: 'ready', why: '' }, at);
  assert.equal(set.readyLoad.inFlight, 2);
  set = withPods(set, [listed('a'), listed('b')]);
  leavePod(c);
  leavePod(a);
  assert.equal(set.readyLoad.inFlight, 0);
  assert.deepEqual(
    set.pods.map((pod) => pod.load.inFlight),
    [0, 0],
  );
});
