import assert from 'node:assert/strict';
import test from 'node:test';
import { fc } from '../support/properties.ts';
import { leastLoaded } from '../../src/affinity/least-loaded.ts';
import type { Pod } from '../../src/pods/pod.ts';
import { seeded } from '../support/seeded.ts';

function podsWith(...loads: number[]): Pod[] {
  return loads.map((inFlight, index) => ({
    name: `pod-${index}`,
    uid: '',
    address: { host: '127.0.0.1', port: 80 },
    listedUid: undefined,
    condition: 'ready',
    zone: undefined,
    state: 'ready',
    why: '',
    sinceMs: 0,
    warmingSinceMs: undefined,
    load: { inFlight },
  }));
}

/** Gives the numbers in turn. */
function drawing(...numbers: number[]): () => number {
  let at = 0;
  return () => numbers[at++ % numbers.length]!;
}

const all = () => true;

test('of the two that are drawn the less busy one is taken', () => {
  const pods = podsWith(3, 2, 3, 2);
  assert.equal(leastLoaded(pods, { isEligible: all, boundedLoad: 2, random: drawing(0, 0) })?.name, 'pod-1');
  assert.equal(leastLoaded(pods, { isEligible: all, boundedLoad: 2, random: drawing(0.5, 0) })?.name, 'pod-3');
});

test('two pods that are drawn are never one and the same', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (x, y) => {
        // With one idle pod of two, both are always drawn, so the idle one always wins.
        const pods = podsWith(5, 0);
        assert.equal(leastLoaded(pods, { isEligible: all, boundedLoad: 10, random: drawing(x, y) })?.name, 'pod-1');
      },
    ),
  );
});

test('an idle application is used evenly', () => {
  const pods = podsWith(0, 0, 0);
  const counts = new Map<string, number>();
  for (let one = 0; one < 30; one++) {
    for (let other = 0; other < 30; other++) {
      const pod = leastLoaded(pods, { isEligible: all, boundedLoad: 1.25, random: drawing(one / 30, other / 30) });
      counts.set(pod!.name, (counts.get(pod!.name) ?? 0) + 1);
    }
  }
  assert.deepEqual([...counts.values()], [300, 300, 300]);
});

test('two busy pods are passed over for the least busy of all', () => {
  const pods = podsWith(9, 9, 0, 0);
  assert.equal(leastLoaded(pods, { isEligible: all, boundedLoad: 1.25, random: drawing(0, 0) })?.name, 'pod-2');
});

test('no pod takes more than its bounded share', () => {
  const draw = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 2, maxLength: 50 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), draw, (count, numbers) => {
      const pods = podsWith(...Array<number>(count).fill(0));
      const random = drawing(...numbers);
      for (let taken = 1; taken <= 100; taken++) {
        leastLoaded(pods, { isEligible: all, boundedLoad: 1.25, random })!.load.inFlight++;
        const share = Math.ceil((1.25 * taken) / count);
        assert.ok(pods.every((pod) => pod.load.inFlight <= share));
      }
    }),
  );
});

test('where the load is counted, a choice is the same as by looking at all pods, in how it spreads and in its bound', () => {
  const draw = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 2, maxLength: 50 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), draw, (count, numbers) => {
      const pods = podsWith(...Array<number>(count).fill(0));
      const random = drawing(...numbers);
      for (let taken = 1; taken <= 100; taken++) {
        const options = { isEligible: all, boundedLoad: 1.25, random, inFlight: taken - 1 };
        leastLoaded(pods, options)!.load.inFlight++;
        const share = Math.ceil((1.25 * taken) / count);
        assert.ok(pods.every((pod) => pod.load.inFlight <= share));
      }
    }),
  );
});

test('where the load is counted, the pods that are not eligible are still passed over, and the least busy found', () => {
  const pods = podsWith(9, 9, 0, 1, 2);
  const options = { boundedLoad: 1.25, inFlight: 21, random: drawing(0, 0) };
  assert.equal(leastLoaded(pods, { ...options, isEligible: all })?.name, 'pod-2');
  assert.equal(leastLoaded(pods, { ...options, isEligible: (pod) => pod.name !== 'pod-2' })?.name, 'pod-3');
  assert.equal(leastLoaded(pods, { ...options, isEligible: (pod) => pod.name === 'pod-4' })?.name, 'pod-4');
  assert.equal(leastLoaded(pods, { ...options, isEligible: () => false }), undefined);
  assert.equal(leastLoaded([], { ...options, isEligible: all, inFlight: 0 }), undefined);
});

test('only eligible pods are taken, and none where none is', () => {
  const pods = podsWith(0, 5, 0);
  const isEligible = (pod: Pod) => pod.name === 'pod-1';
  assert.equal(leastLoaded(pods, { isEligible, boundedLoad: 1.25, random: drawing(0.9) })?.name, 'pod-1');
  assert.equal(leastLoaded(pods, { isEligible: () => false, boundedLoad: 1.25, random: drawing(0) }), undefined);
  assert.equal(leastLoaded([], { isEligible: all, boundedLoad: 1.25, random: drawing(0) }), undefined);
});

test('a pod with a tenth of a share gets a tenth of what the others get, idle or busy', () => {
  const random = seeded(7);
  const shareOf = (pod: Pod): number => (pod.name === 'pod-2' ? 0.1 : 1);
  for (const held of [0, 30]) {
    const pods = podsWith(held, held, 0);
    const counts = new Map<string, number>();
    for (let times = 0; times < 2100; times++) {
      const pod = leastLoaded(pods, { isEligible: all, boundedLoad: 1.25, random, shareOf })!;
      counts.set(pod.name, (counts.get(pod.name) ?? 0) + 1);
      // Busy: none ends, so that what each holds is what it got.
      if (held > 0) pod.load.inFlight++;
    }
    const cold = counts.get('pod-2') ?? 0;
    assert.ok(cold >= 60 && cold <= 140, `${cold} of 2100, expected 100`);
  }
});

test('with shares too somebody is found whenever one is eligible, and nobody else', () => {
  const shareOf = (): number => 0.3;
  for (const draw of [0, 0.5, 1 - Number.EPSILON / 2]) {
    const pods = podsWith(9, 1, 0);
    const only = (pod: Pod): boolean => pod.name === 'pod-1';
    const options = { boundedLoad: 1.25, random: () => draw, shareOf };
    assert.equal(leastLoaded(pods, { ...options, isEligible: only })?.name, 'pod-1');
    assert.equal(leastLoaded(pods, { ...options, isEligible: () => false }), undefined);
    assert.notEqual(leastLoaded(pods, { ...options, isEligible: all }), undefined);
  }
});
