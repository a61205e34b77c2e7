import assert from 'node:assert/strict';
import test from 'node:test';
import { fc } from '../../support/properties.ts';
import { laravelPayload } from '../../../src/affinity/session-id/laravel-payload.ts';

function cookie(json: string): string {
  return encodeURIComponent(Buffer.from(json, 'latin1').toString('base64'));
}

const usual = { iv: 'aXY=', value: 'dmFsdWU=', mac: 'abc', tag: '' };

/** What JSON itself says; the reader's quick way must say the same. */
function byJson(json: string): unknown {
  try {
    const { iv, value, mac, tag = '' } = JSON.parse(json) as Record<string, unknown>;
    return [iv, value, mac, tag].every((each) => typeof each === 'string') ? { iv, value, mac, tag } : undefined;
  } catch {
    return undefined;
  }
}

test('the payload is read, whatever its spelling', () => {
  const { iv, value, mac } = usual;
  for (const json of [
    JSON.stringify(usual),
    JSON.stringify({ iv, value, mac }),
    JSON.stringify({ mac, value, iv, tag: '' }),
    JSON.stringify(usual, undefined, 2),
    JSON.stringify({ ...usual, more: 1 }),
    JSON.stringify(usual).replace('dmFs', '\\u0064mFs'),
  ]) {
    // Written with white space first, the base64 does not begin like a payload.
    assert.deepEqual(laravelPayload(cookie(json)), json.startsWith('{"') ? usual : undefined, json);
  }
});

test('an escaped slash is a slash', () => {
  const json = '{"iv":"a\\/b=","value":"\\/","mac":"c","tag":"t\\/"}';
  assert.deepEqual(laravelPayload(cookie(json)), { iv: 'a/b=', value: '/', mac: 'c', tag: 't/' });
});

test('padding may be encoded, plain or missing', () => {
  for (const value of ['v', 'va', 'val']) {
    const bare = cookie(JSON.stringify({ ...usual, value })).replaceAll('%3D', '');
    for (const padding of ['', '=', '==', '%3D', '%3D%3D', '%3d', '%3d%3d', '=%3D', '%3D%3D%3D']) {
      assert.deepEqual(laravelPayload(bare + padding), { ...usual, value }, padding);
    }
  }
});

test('the quick way and JSON agree on every text that is JSON, and on texts nearly of the usual shape', () => {
  const part = fc.oneof(
    fc.base64String({ maxLength: 40 }),
    fc.string({
      maxLength: 20,
      unit: fc.constantFrom('"', '\\', '/', 'u', '0', ',', ':', '{', '}', 'é', 'mac', 'tag'),
    }),
  );
  const whole = fc.record({ iv: part, value: part, mac: part, tag: part });
  const texts = fc.oneof(
    whole.map((each) => JSON.stringify(each)),
    whole.map((each) => JSON.stringify({ ...each, tag: undefined })),
    // Parts as they stand, unescaped: mostly not JSON.
    whole.map((each) => `{"iv":"${each.iv}","value":"${each.value}","mac":"${each.mac}","tag":"${each.tag}"}`),
    fc.json({ maxDepth: 2 }),
  );
  fc.assert(
    fc.property(texts, fc.nat(400), fc.constantFrom('', '"', '}', ',', ' '), (text, at, extra) => {
      for (const json of [text, text.slice(0, at) + extra + text.slice(at)]) {
        if (json.startsWith('{"')) assert.deepEqual(laravelPayload(cookie(json)), byJson(json), json);
      }
    }),
    { numRuns: 2000 },
  );
});

test('a text longer than any session’s cookie is not looked at', () => {
  const long = cookie(JSON.stringify({ ...usual, value: 'v'.repeat(800) }));
  assert.ok(long.length > 1024);
  assert.equal(laravelPayload(long), undefined);
});
