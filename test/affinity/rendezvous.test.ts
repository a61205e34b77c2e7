import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { fc } from '../support/properties.ts';
import { createRing, heaviest, rendezvousOrder } from '../../src/affinity/rendezvous.ts';

interface Vectors {
  readonly version: number;
  readonly placements: readonly {
    readonly session: string;
    readonly pods: readonly string[];
    readonly order: readonly string[];
  }[];
}

const vectors = JSON.parse(readFileSync(new URL('rendezvous-vectors.json', import.meta.url), 'utf8')) as Vectors;

test('placements are the ones of the vector file: gateways of two versions must agree', () => {
  assert.equal(vectors.version, 1);
  assert.ok(vectors.placements.length >= 40);
  for (const { session, pods, order } of vectors.placements) {
    assert.deepEqual(rendezvousOrder(createRing(pods), session), order, session);
  }
});

const names = fc.uniqueArray(fc.stringMatching(/^[a-z0-9.:-]{1,20}$/), { minLength: 1, maxLength: 20 });
const key = fc.stringMatching(/^[A-Za-z0-9]{1,40}$/);

test('the order does not depend on the order in which pods are listed', () => {
  fc.assert(
    fc.property(names, key, (pods, session) => {
      assert.deepEqual(
        rendezvousOrder(createRing(pods.toReversed()), session),
        rendezvousOrder(createRing(pods), session),
      );
    }),
  );
});

test('every pod is in the order once', () => {
  fc.assert(
    fc.property(names, key, (pods, session) => {
      assert.deepEqual(rendezvousOrder(createRing(pods), session).toSorted(), pods.toSorted());
    }),
  );
});

test('when a pod leaves only its own sessions move, and they move to their second pod', () => {
  fc.assert(
    fc.property(names, key, fc.nat(19), (pods, session, at) => {
      fc.pre(pods.length > 1);
      const leaving = pods[at % pods.length]!;
      const before = rendezvousOrder(createRing(pods), session);
      const after = rendezvousOrder(createRing(pods.filter((pod) => pod !== leaving)), session);
      assert.deepEqual(
        after,
        before.filter((pod) => pod !== leaving),
      );
    }),
  );
});

test('nobody eligible is nobody', () => {
  assert.equal(
    heaviest(createRing(['a', 'b']), 's', () => false),
    -1,
  );
  assert.equal(
    heaviest(createRing([]), 's', () => true),
    -1,
  );
});

/** 20,000 sessions on n pods: four standard deviations from the mean are allowed. */
for (const shape of ['pod-%', 'shop-7d9f8b6c5-%xk2', '10.1.0.%:8080'] as const) {
  for (const count of [2, 3, 10, 50]) {
    test(`sessions spread evenly over ${count} pods named like ${shape}, first and second choice`, () => {
      const ring = createRing(Array.from({ length: count }, (_, index) => shape.replace('%', String(index))));
      const sessions = 20_000;
      const first = new Map<number, number>();
      const second = new Map<number, number>();
      for (let index = 0; index < sessions; index++) {
        const session = (index * 2_654_435_761).toString(16).padStart(26, 'a');
        const winner = heaviest(ring, session, () => true);
        const runner = heaviest(ring, session, (each) => each !== winner);
        first.set(winner, (first.get(winner) ?? 0) + 1);
        second.set(runner, (second.get(runner) ?? 0) + 1);
      }
      const mean = sessions / count;
      const deviation = Math.sqrt(mean * (1 - 1 / count));
      for (const counts of [first, second]) {
        assert.equal(counts.size, count);
        for (const each of counts.values()) assert.ok(Math.abs(each - mean) < 4.5 * deviation, `${each} of ${mean}`);
      }
    });
  }
}
