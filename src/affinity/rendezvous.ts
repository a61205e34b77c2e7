/**
 * Highest random weight: every gateway orders the pods alike for a session without asking anyone, and when a pod
 * leaves only its own sessions move (Thaler and Ravishankar, 1998). Which pod is which is decided by name alone.
 *
 * A weight is two 32-bit words mixed from hashes of the session and of the pod's name. The order is a promise
 * between gateways of different versions: test/affinity/rendezvous-vectors.json holds it, and a change here needs
 * a new version there.
 *
 * Must not know pod states, loads or sessions' contents.
 */

/** Names hashed once, in their given order. */
export interface Ring {
  readonly names: readonly string[];
  readonly low: Int32Array;
  readonly high: Int32Array;
}

const lowSeed = 0x9e3779b9;
const highSeed = 0x85ebca6b;

export function createRing(names: readonly string[]): Ring {
  const low = new Int32Array(names.length);
  const high = new Int32Array(names.length);
  names.forEach((name, index) => {
    low[index] = hashText(name, lowSeed);
    high[index] = hashText(name, highSeed);
  });
  return { names, low, high };
}

/**
 * The index of the name with the highest weight for `key` among those that `isEligible` admits; -1: none. Asked
 * again without the winner it gives the second, and so on.
 */
export function heaviest(ring: Ring, key: string, isEligible: (index: number) => boolean): number {
  const keyLow = hashText(key, highSeed);
  const keyHigh = hashText(key, lowSeed);
  let best = -1;
  let bestHigh = 0;
  let bestLow = 0;
  for (let index = 0; index < ring.names.length; index++) {
    const high = mix(keyHigh ^ ring.high[index]!);
    if (best !== -1 && high < bestHigh) continue;
    const low = mix(Math.imul(keyLow, 0x01000193) ^ ring.low[index]!);
    const isHeavier =
      best === -1 || high > bestHigh || low > bestLow || (low === bestLow && ring.names[index]! < ring.names[best]!);
    // Asked last: of a thousand names a handful get here.
    if (!isHeavier || !isEligible(index)) continue;
    best = index;
    bestHigh = high;
    bestLow = low;
  }
  return best;
}

/** All names, heaviest first. */
export function rendezvousOrder(ring: Ring, key: string): string[] {
  const used = new Set<number>();
  const order: string[] = [];
  for (;;) {
    const index = heaviest(ring, key, (each) => !used.has(each));
    if (index === -1) return order;
    used.add(index);
    order.push(ring.names[index]!);
  }
}

/** MurmurHash3's body over UTF-16 code units, with its finaliser. */
function hashText(text: string, seed: number): number {
  let hash = seed;
  for (let index = 0; index < text.length; index++) {
    let word = Math.imul(text.charCodeAt(index), 0xcc9e2d51);
    word = (word << 15) | (word >>> 17);
    hash ^= Math.imul(word, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  return mix(hash ^ text.length);
}

/** MurmurHash3's finaliser: every bit of the input changes half the bits of the output. Unsigned. */
function mix(word: number): number {
  let hash = word;
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return hash >>> 0;
}
