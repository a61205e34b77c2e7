/** Time of a pick by session, by pin table and by load: `node bench/micro/pick.ts`, for 3, 100 and 1,000 pods. */

import { type ChoiceInput, PodChoice } from '../../src/affinity/choose-pod.ts';
import type { SessionId } from '../../src/affinity/session-codec.ts';
import { emptyPodSet, type PodSet, withPods } from '../../src/pods/pod-set.ts';

const picks = 2000;
const rounds = 15;

function podSet(count: number): PodSet {
  const list = Array.from({ length: count }, (_, index) => ({
    name: `shop-${index}`,
    address: { host: '10.0.0.1', port: 8080 },
  }));
  return withPods(
    emptyPodSet((name) => [name]),
    list,
  );
}

function microsecondsOf(pods: PodSet, given: (index: number) => Partial<ChoiceInput>): number {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    for (let index = 0; index < picks; index++) {
      const input: ChoiceInput = {
        ...{ session: undefined, pin: { kind: 'none' }, entry: undefined, owner: undefined, pods, strict: false },
        ...{
          sidecars: false,
          storeDown: false,
          rebalance: undefined,
          boundedLoad: 1.25,
          slowStartMs: 0,
          random: Math.random,
          nowMs: 1000,
        },
        ...given(index),
      };
      new PodChoice(input).next();
    }
    times.push(((performance.now() - start) / picks) * 1000);
  }
  // The least: whatever else the machine does only adds to it.
  return Math.min(...times);
}

for (const count of [3, 100, 1000]) {
  const pods = podSet(count);
  const hashed = microsecondsOf(pods, (index) => ({ session: `session${index}` as SessionId }));
  const known = microsecondsOf(pods, (index) => ({
    session: `session${index}` as SessionId,
    entry: { pod: { name: `shop-${index % count}`, uid: '' }, epoch: 1 },
  }));
  const balanced = microsecondsOf(pods, () => ({}));
  console.log(
    `${count} pods: by hash ${hashed.toFixed(2)} us, by table ${known.toFixed(2)} us, by load ${balanced.toFixed(2)} us`,
  );
}
