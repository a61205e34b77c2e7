import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { createSessionCodec } from '../../../src/affinity/preset-codec.ts';
import { flaskDecoder } from '../../../src/affinity/session-id/flask.ts';
import { requireFile } from '../../support/processes.ts';

const id = '0f8fad5b-d9cb-469f-a165-70867728950e';
/** Made by itsdangerous 2.1. */
const signed = `${id}.tuXeIWp0L34JaHaUVp5gKrQpugw`;
const secret = 'an example secret, open to all';

test('without a key the cookie is the id, as Flask-Session has it by default', () => {
  const codec = createSessionCodec({ preset: 'flask', cookie: undefined, keys: [] });
  assert.equal(codec.fromRequest(`session=${id}`), id);
  assert.equal(codec.fromRequest('session=Zk3-_longer_token_urlsafe_0123456789abcdefgh')?.length, 44);
  assert.equal(codec.fromRequest(`session="${id}"`), id, 'Werkzeug undoes quotes');
  assert.equal(codec.fromRequest(`session="\\060f8fad5b\\-d9cb-469f-a165-70867728950e"`), id, 'and escapes');
  assert.equal(codec.fromRequest(`session=${signed}`), undefined);
});

test("Flask's own session, which is the cookie itself, is no id", () => {
  const cookie = 'eyJjb3VudCI6MX0.ZzZzZz.1OqXyyfhXN7iW1vGkQpYz0bQ0aA';
  assert.equal(flaskDecoder([]).decode(cookie, 'session'), undefined);
  assert.equal(flaskDecoder([secret]).decode(cookie, 'session'), undefined);
});

test('with keys only what one of them has signed is an id', () => {
  const decoder = flaskDecoder(['new', secret]);
  assert.equal(decoder.decode(signed, 'session')?.id, id);
  assert.equal(decoder.decode(`${signed}==`, 'session')?.id, id, 'itsdangerous takes this spelling too');
  for (const value of [
    id,
    `${id}.`,
    `${signed}AAAA`,
    `x${signed}`,
    `${id}.${'A'.repeat(27)}`,
    '.',
    '',
    `../x.${'A'.repeat(27)}`,
  ])
    assert.equal(decoder.decode(value, 'session'), undefined, value);
  assert.equal(flaskDecoder(['other']).decode(signed, 'session'), undefined);
});

test('what the real itsdangerous signs is read, whatever the id', () => {
  requireFile('/usr/lib/python3/dist-packages/itsdangerous', 'python3-itsdangerous');
  const code = `
import sys
from itsdangerous import Signer
for line in sys.stdin.read().split():
    print(Signer(sys.argv[1], salt='flask-session', key_derivation='hmac').sign(line).decode())`;
  const ids = [id, 'a', '_-'.repeat(125)];
  const options = { input: ids.join('\n'), encoding: 'utf8' } as const;
  const lines = execFileSync('/usr/bin/python3', ['-c', code, secret], options).trim().split('\n');
  const decoder = flaskDecoder([secret]);
  assert.deepEqual(
    lines.map((line) => decoder.decode(line, 'session')?.id),
    ids,
  );
});
