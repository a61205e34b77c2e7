import assert from 'node:assert/strict';
import test from 'node:test';
import { createSessionCodec } from '../../../src/affinity/preset-codec.ts';

const id = '51AD11AEFC681BD7C2D627C34D742B72';
const codec = createSessionCodec({ preset: 'jsessionid', cookie: undefined, keys: [] });

test("Tomcat's id is read with its route, which is a part of it", () => {
  assert.equal(codec.fromRequest(`JSESSIONID=${id}`), id);
  assert.equal(codec.fromRequest(`JSESSIONID=${id}.node-1`), `${id}.node-1`);
  const change = codec.fromAnswer([`JSESSIONID=${id}.node-1; Path=/shop; HttpOnly`], 0);
  assert.ok(change.kind === 'set');
  assert.equal(change.session, `${id}.node-1`);
});

test('of two applications that both sent a cookie nobody knows which one Tomcat takes', () => {
  assert.equal(codec.fromRequest(`JSESSIONID=${id}; JSESSIONID=${id.replace('5', '6')}`), undefined);
  assert.equal(codec.fromRequest(`JSESSIONID=${id}; JSESSIONID=${id}`), id);
});

test('what no servlet container makes is no id', () => {
  const others = [
    'short',
    '../../../../etc/passwd',
    `${id}.`,
    `.${id}`,
    `${id}.a.b`,
    `${id}/x`,
    `${id}%2e`,
    'a'.repeat(129),
  ];
  for (const value of others) assert.equal(codec.fromRequest(`JSESSIONID=${value}`), undefined, value);
});
