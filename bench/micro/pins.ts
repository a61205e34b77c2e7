/** Bytes of heap for each pin of a full pin table: `node --expose-gc bench/micro/pins.ts [PINS]`, a million by default. */

import { PinTable } from '../../src/affinity/pin-table.ts';
import type { SessionId } from '../../src/affinity/session-codec.ts';

const pins = Number(process.argv[2] ?? 1_000_000);
const pods = Array.from({ length: 1000 }, (_, index) => ({ name: `shop-${index}`, uid: `uid-${index}` }));

function usedBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const before = usedBytes();
const table = new PinTable({ entriesMax: pins });
for (let pin = 0; pin < pins; pin++) {
  const session = `${pin}`.padStart(40, 'AbCdEfGh') as SessionId;
  table.put(session, pods[pin % pods.length]!, 1_700_000_000_000_000 + pin);
}
const bytes = usedBytes() - before;
console.log(`${table.size} pins of 40 characters: ${(bytes / pins).toFixed(1)} bytes each`);
