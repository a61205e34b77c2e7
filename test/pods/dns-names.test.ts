import assert from 'node:assert/strict';
import { test } from 'node:test';
import { candidateNames } from '../../src/pods/dns-names.ts';

const inPod = 'nameserver 10.96.0.10\nsearch shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n';

test('a short name is tried in each search domain first, as in a pod', () => {
  assert.deepEqual(candidateNames('app.shop.svc', inPod), [
    'app.shop.svc.shop.svc.cluster.local',
    'app.shop.svc.svc.cluster.local',
    'app.shop.svc.cluster.local',
    'app.shop.svc',
  ]);
});

test('a name with as many dots as ndots is tried as it is first; one that ends with a dot is tried only so', () => {
  assert.deepEqual(candidateNames('a.b', 'search x.'), ['a.b', 'a.b.x']);
  assert.deepEqual(candidateNames('a', 'search x'), ['a.x', 'a']);
  assert.deepEqual(candidateNames('app.shop.svc.', inPod), ['app.shop.svc']);
});

test('without a resolv.conf, or with an odd one, the name itself is left', () => {
  assert.deepEqual(candidateNames('app', ''), ['app']);
  assert.deepEqual(candidateNames('app', 'search\noptions ndots:x\n# search a'), ['app']);
});
