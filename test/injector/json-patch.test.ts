import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../support/properties.ts';
import { jsonPatch, type PatchOperation, pointerSteps } from '../../src/injector/json-patch.ts';

test('a patch turns the one value into the other', () => {
  const value = fc.jsonValue({ maxDepth: 4 });
  fc.assert(
    fc.property(value, value, (before, after) => {
      assert.deepEqual(applied(before, jsonPatch(before, after)), after);
    }),
    { numRuns: 3000 },
  );
});

test('of a list that gets something more, or less, nothing else changes', () => {
  assert.deepEqual(jsonPatch({ a: [1, 2, 3] }, { a: [1, 9, 2, 3] }), [{ op: 'add', path: '/a/1', value: 9 }]);
  assert.deepEqual(jsonPatch([1, 2, 3, 4], [1, 4]), [
    { op: 'remove', path: '/2' },
    { op: 'remove', path: '/1' },
  ]);
  assert.deepEqual(jsonPatch([{ a: 1, b: 2 }, 3], [{ a: 1, b: 3 }, 3]), [{ op: 'replace', path: '/0/b', value: 3 }]);
});

test('names with a slash or a tilde are escaped', () => {
  assert.deepEqual(jsonPatch({}, { 'a/b~c': 1 }), [{ op: 'add', path: '/a~1b~0c', value: 1 }]);
  assert.deepEqual(pointerSteps('/a~1b~0c/0'), ['a/b~c', '0']);
});

/** As RFC 6902 says it, for the three operations that are used. */
function applied(document: unknown, operations: readonly PatchOperation[]): unknown {
  const root = { whole: structuredClone(document) };
  for (const operation of operations) {
    const steps = ['whole', ...pointerSteps(operation.path)];
    const last = steps.pop()!;
    const parent = steps.reduce<unknown>((current, step) => (current as Record<string, unknown>)[step], root);
    const value = operation.op === 'remove' ? undefined : operation.value;
    if (Array.isArray(parent) && operation.op === 'add') parent.splice(Number(last), 0, value);
    else if (Array.isArray(parent) && operation.op === 'remove') parent.splice(Number(last), 1);
    else if (operation.op === 'remove') Reflect.deleteProperty(parent as object, last);
    else {
      const at = { value, enumerable: true, writable: true, configurable: true };
      Object.defineProperty(parent, last, at);
    }
  }
  return root.whole;
}
