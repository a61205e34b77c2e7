import assert from 'node:assert/strict';
import { test } from 'node:test';

import { makeField } from '../../src/http1/fields.ts';
import type { RequestHead } from '../../src/http1/request-head.ts';
import { KeeperScope, type KeeperScopeOptions } from '../../src/proxy/keeper-scope.ts';

const usual: KeeperScopeOptions = {
  skip: { paths: [], methods: [] },
  ignore: { paths: [], userAgents: ['kube-probe/'] },
};

function head(target: string, over: { readonly method?: string; readonly agent?: string } = {}): RequestHead {
  const { method = 'GET', agent } = over;
  const fields = [makeField('Host', 'x'), ...(agent === undefined ? [] : [makeField('User-Agent', agent)])];
  return { method, target, fields } as unknown as RequestHead;
}

test('by default nothing is skipped, and only the probes of the kubelet and our own are ignored', () => {
  const scope = new KeeperScope(usual);
  assert.equal(scope.skips(head('/')), false);
  assert.equal(scope.ignores(head('/')), false);
  assert.equal(scope.ignores(head('/', { agent: 'Mozilla/5.0 kube-probe/1.36' })), false);
  assert.equal(scope.ignores(head('/', { agent: 'kube-probe/1.36' })), true);
  assert.equal(scope.ignores(head('/', { agent: 'holdfast-probe/1' })), true);
});

test('our own probe is ignored whatever is configured, and nothing that only looks like it', () => {
  const scope = new KeeperScope({ ...usual, ignore: { paths: [], userAgents: [] } });
  assert.equal(scope.ignores(head('/', { agent: 'holdfast-probe/1' })), true);
  assert.equal(scope.ignores(head('/', { agent: 'holdfast-probe/12' })), false);
  assert.equal(scope.ignores(head('/', { agent: 'kube-probe/1.36' })), false);
});

test('paths are beginnings, methods are whole', () => {
  const scope = new KeeperScope({
    skip: { paths: ['/assets/'], methods: ['OPTIONS'] },
    ignore: { paths: ['/up'], userAgents: [] },
  });
  assert.equal(scope.skips(head('/assets/app.js?v=1')), true);
  assert.equal(scope.skips(head('/other/assets/')), false);
  assert.equal(scope.skips(head('/', { method: 'OPTIONS' })), true);
  assert.equal(scope.skips(head('/', { method: 'OPTION' })), false);
  assert.equal(scope.ignores(head('/up')), true);
  assert.equal(scope.ignores(head('/cup')), false);
});
