import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { fc } from '../../support/properties.ts';
import { laravelDecoder, laravelKeyBytes } from '../../../src/affinity/session-id/laravel.ts';

/**
 * Cookies are made and read by Laravel itself (Debian: php-cli, php-laravel-framework), as EncryptCookies does it.
 */
const program = `
require '/usr/share/php/Illuminate/autoload.php';
$in = json_decode(stream_get_contents(STDIN), true);
$out = [];
foreach ($in as $c) {
  $key = base64_decode($c['key']);
  $encrypter = new Illuminate\\Encryption\\Encrypter($key, $c['cipher']);
  $prefix = $c['prefix'] === null ? '' : Illuminate\\Cookie\\CookieValuePrefix::create($c['prefix'], $key);
  $out[] = rawurlencode($encrypter->encrypt($prefix.$c['value'], $c['serialize']));
}
echo json_encode($out);`;

interface Wanted {
  readonly key: Buffer;
  readonly cipher: 'aes-128-cbc' | 'aes-256-cbc' | 'aes-128-gcm' | 'aes-256-gcm';
  readonly value: string;
  /** The cookie's name; null: no prefix, as before Laravel 7.22. */
  readonly prefix: string | null;
  readonly serialize: boolean;
}

function byLaravel(...wanted: readonly Wanted[]): string[] {
  const input = JSON.stringify(wanted.map((each) => ({ ...each, key: each.key.toString('base64') })));
  try {
    return JSON.parse(execFileSync('php', ['-r', program], { input, encoding: 'utf8' })) as string[];
  } catch (error) {
    throw new Error('needs the Debian packages php-cli and php-laravel-framework', { cause: error });
  }
}

const id = 'Abcdefghij0123456789Abcdefghij0123456789';
const name = 'laravel_session';
const key256 = Buffer.from('0123456789abcdef0123456789abcdef');
const key128 = Buffer.from('fedcba9876543210');
const otherKey = Buffer.from('another-key-another-key-another!');

const kinds: readonly Wanted[] = (
  [
    ['aes-128-cbc', key128],
    ['aes-256-cbc', key256],
    ['aes-128-gcm', key128],
    ['aes-256-gcm', key256],
  ] as const
).flatMap(([cipher, key]) =>
  [false, true].flatMap((serialize) => [name, null].map((prefix) => ({ key, cipher, value: id, prefix, serialize }))),
);
const cookies = byLaravel(...kinds);

kinds.forEach((kind, index) => {
  const form = `${kind.cipher}, ${kind.serialize ? 'serialized' : 'plain'}, ${kind.prefix === null ? 'no prefix' : 'prefix'}`;

  test(`a cookie of real Laravel is read: ${form}`, () => {
    assert.deepEqual(laravelDecoder([kind.key]).decode(cookies[index]!, name), { id, bound: kind.prefix !== null });
  });

  test(`a cookie of a previous key is read: ${form}`, () => {
    assert.equal(laravelDecoder([otherKey, kind.key]).decode(cookies[index]!, name)?.id, id);
  });

  test(`a cookie of a foreign key is no session: ${form}`, () => {
    assert.equal(laravelDecoder([otherKey]).decode(cookies[index]!, name), undefined);
  });

  test(`no change of any character makes another session: ${form}`, () => {
    const decoder = laravelDecoder([kind.key]);
    fc.assert(
      fc.property(
        fc.nat(cookies[index]!.length - 1),
        fc.constantFrom('A', 'b', '0', '%', '=', '+', '/', '-', '"', '{', '}'),
        (at, character) => {
          const changed = cookies[index]!.slice(0, at) + character + cookies[index]!.slice(at + 1);
          const read = decoder.decode(changed, name);
          assert.ok(read === undefined || read.id === id);
        },
      ),
    );
  });
});

test('a value made for another cookie is no session', () => {
  const [xsrf] = byLaravel({ key: key256, cipher: 'aes-256-cbc', value: id, prefix: 'XSRF-TOKEN', serialize: false });
  assert.equal(laravelDecoder([key256]).decode(xsrf!, name), undefined);
});

test('only 40 letters and digits are an id', () => {
  const values = [
    '',
    id.slice(1),
    `${id}0`,
    `${id.slice(1)}-`,
    `../${id.slice(3)}`,
    `${id.slice(1)}\n`,
    `${id.slice(1)}\u0661`,
  ];
  const wanted = values.flatMap((value) =>
    [name, null].map((prefix): Wanted => ({ key: key256, cipher: 'aes-256-cbc', value, prefix, serialize: false })),
  );
  for (const cookie of byLaravel(...wanted)) {
    assert.equal(laravelDecoder([key256]).decode(cookie, name), undefined);
  }
});

test('an APP_KEY is read as Laravel reads it', () => {
  assert.deepEqual(laravelKeyBytes(`base64:${key256.toString('base64')}`), key256);
  assert.deepEqual(laravelKeyBytes(key128.toString()), key128);
  assert.equal(laravelKeyBytes('base64:AAAA'), undefined);
  assert.equal(laravelKeyBytes('short'), undefined);
});

test('nothing a client sends makes the decoder throw', () => {
  const decoder = laravelDecoder([key256, key128]);
  const json = fc.json().map((text) => Buffer.from(text).toString('base64'));
  const part = fc.oneof(fc.base64String(), fc.string());
  const payload = fc
    .record({ iv: part, value: part, mac: fc.oneof(part, fc.constant(null)), tag: part }, { requiredKeys: [] })
    .map((value) => Buffer.from(JSON.stringify(value)).toString('base64'));
  const text = fc.oneof(
    fc.string(),
    json,
    payload,
    fc.string().map((end) => `eyJ${end}`),
  );
  fc.assert(fc.property(text, (value) => assert.equal(decoder.decode(value, name), undefined)));
});

test('an id changed through the IV of a CBC cookie is refused: the MAC covers it', () => {
  const index = kinds.findIndex((kind) => kind.cipher === 'aes-256-cbc' && kind.prefix === null && !kind.serialize);
  const payload = JSON.parse(Buffer.from(decodeURIComponent(cookies[index]!), 'base64').toString()) as { iv: string };
  const iv = Buffer.from(payload.iv, 'base64');
  // 'A' becomes 'B' in the first block, and nothing else changes.
  iv[0]! ^= 3;
  const changed = Buffer.from(JSON.stringify({ ...payload, iv: iv.toString('base64') })).toString('base64');
  assert.equal(laravelDecoder([key256]).decode(changed, name), undefined);
});

test('a GCM tag cut short is refused', () => {
  const index = kinds.findIndex((kind) => kind.cipher === 'aes-256-gcm');
  const payload = JSON.parse(Buffer.from(decodeURIComponent(cookies[index]!), 'base64').toString()) as { tag: string };
  const short = { ...payload, tag: Buffer.from(payload.tag, 'base64').subarray(0, 4).toString('base64') };
  const cookie = Buffer.from(JSON.stringify(short)).toString('base64');
  assert.equal(laravelDecoder([key256]).decode(cookie, name), undefined);
});
