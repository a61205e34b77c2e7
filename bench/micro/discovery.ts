/** Time from an event of a watch to the new set of pods: `node bench/micro/discovery.ts`, 1,000 pods in 10 slices. */

import { readSlice, type Slice } from '../../src/kubernetes/endpoint-slice.ts';
import { podsOf } from '../../src/kubernetes/slices-to-pods.ts';
import { WatchLines } from '../../src/kubernetes/watch-lines.ts';
import { emptyPodSet, type PodSet, withPods } from '../../src/pods/pod-set.ts';

const slices = 10;
const podsInSlice = 100;
const rounds = 100;

/** A slice as the API server sends it; in each round another of its pods is not ready. */
function line(slice: number, round: number): Buffer {
  const endpoints = Array.from({ length: podsInSlice }, (_, index) => ({
    addresses: [`10.${slice}.${index >> 8}.${index & 255}`],
    conditions: { ready: index !== round % podsInSlice, serving: index !== round % podsInSlice, terminating: false },
    nodeName: `node-${index % 50}`,
    zone: 'west-1a',
    targetRef: { kind: 'Pod', namespace: 'shop', name: `shop-7d9f4-${slice}-${index}`, uid: `uid-${slice}-${index}` },
  }));
  const metadata = { name: `shop-${slice}`, namespace: 'shop', resourceVersion: String(1000 + round) };
  const object = { metadata, addressType: 'IPv4', ports: [{ name: 'http', port: 8080, protocol: 'TCP' }], endpoints };
  return Buffer.from(`${JSON.stringify({ type: 'MODIFIED', object })}\n`);
}

const known = new Map<string, Slice>();
let set: PodSet = withPods(
  emptyPodSet((name, uid) => [`${name}/${uid}`]),
  [],
);
const lines = new WatchLines();

function take(piece: Buffer): void {
  for (const { object } of lines.push(piece)) {
    const slice = readSlice(object);
    if (slice !== undefined) known.set(slice.name, slice);
  }
  set = withPods(set, podsOf(known.values(), { port: 'http', family: 'IPv4' }).pods);
}

for (let slice = 0; slice < slices; slice++) take(line(slice, 0));
const times: number[] = [];
for (let round = 1; round <= rounds; round++) {
  const piece = line(round % slices, round);
  const start = performance.now();
  take(piece);
  times.push(performance.now() - start);
}
times.sort((one, other) => one - other);
const at = (part: number): string => times[Math.floor(part * (times.length - 1))]!.toFixed(1);
console.log(
  `${set.pods.length} pods: an event of ${podsInSlice} is in the set after ${at(0.5)} ms; p99 ${at(0.99)} ms`,
);
