/** Run with --expose-gc. Prints one InProcess as JSON. */

import { randomBytes } from 'node:crypto';
import { PodChoice } from '../../src/affinity/choose-pod.ts';
import { PinTable } from '../../src/affinity/pin-table.ts';
import type { SessionId } from '../../src/affinity/session-codec.ts';
import { emptyPodSet, withPods } from '../../src/pods/pod-set.ts';
import type { InProcess } from '../results.ts';

const pins = 1_000_000;
const podCount = 1_000;
const picks = 20_000;
const rounds = 7;

const pickUs: number[] = [];
const pods = withPods(
  emptyPodSet((name) => [name]),
  Array.from({ length: podCount }, (_, index) => ({
    name: `shop-${index}`,
    uid: '',
    address: { host: '10.0.0.1', port: 8080 },
  })),
);
for (let round = 0; round < rounds + 1; round++) {
  const sessions = Array.from({ length: picks }, newSession);
  const startMs = performance.now();
  for (const session of sessions) pick(session);
  // The first round is the compiler's.
  if (round > 0) pickUs.push(((performance.now() - startMs) / picks) * 1000);
}

const before = usedBytes();
const table = new PinTable({ entriesMax: pins });
for (let pin = 0; pin < pins; pin++) table.put(newSession(), { name: `shop-${pin % podCount}`, uid: '' }, pin);
const result: InProcess = { pins, bytesPerPin: (usedBytes() - before) / pins, pods: podCount, pickUs };
if (table.size !== pins) throw new Error('the table has not all pins');
console.log(JSON.stringify(result));

/** Of a session that nobody knows: the dearest choice, by hash among all pods. */
function pick(session: SessionId): void {
  const choice = new PodChoice({
    session,
    pin: { kind: 'none' },
    entry: undefined,
    owner: undefined,
    pods,
    strict: false,
    sidecars: false,
    storeDown: false,
    rebalance: undefined,
    boundedLoad: 1.25,
    random: Math.random,
    slowStartMs: 0,
    nowMs: 0,
  });
  if (choice.next().kind !== 'pick') throw new Error('no pod was chosen');
}

function newSession(): SessionId {
  return randomBytes(13).toString('hex') as SessionId;
}

function usedBytes(): number {
  globalThis.gc!();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
