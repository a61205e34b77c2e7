import assert from 'node:assert/strict';
import test from 'node:test';
import { parseStaticPods } from '../../src/pods/source-static.ts';

test('entries are names and addresses; host names stay names', () => {
  assert.deepEqual(parseStaticPods(['pod-a=10.1.0.4:8080', 'b.2=app.shop.svc:80', 'c=[::1]:9000']), {
    kind: 'pods',
    pods: [
      { name: 'pod-a', address: { host: '10.1.0.4', port: 8080 } },
      { name: 'b.2', address: { host: 'app.shop.svc', port: 80 } },
      { name: 'c', address: { host: '::1', port: 9000 } },
    ],
  });
});

test('every entry that can not be used is named', () => {
  const result = parseStaticPods([
    'a=h:1',
    '10.1.0.4:80',
    '=h:1',
    'x y=h:1',
    'b=h',
    'c=h:0',
    'd=h:70000',
    'a=h:2',
    'é=h:1',
  ]);
  assert.ok(result.kind === 'problems');
  assert.deepEqual(
    result.problems.map((each) => each.index),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
});
