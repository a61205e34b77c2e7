import assert from 'node:assert/strict';
import { rm, mkdtemp, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fc } from '../support/properties.ts';
import {
  findCookie,
  percentDecoded,
  someCookie,
  withoutCookie,
  type CookieReader,
} from '../../src/affinity/cookie-line.ts';
import { freePort } from '../support/free-port.ts';
import { Processes } from '../support/processes.ts';
import { until } from '../support/until.ts';

const rows: readonly (readonly [line: string, reader: CookieReader, value: string | undefined])[] = [
  ['a_b=1', 'php', '1'],
  ['x=0;a_b=1', 'php', '1'],
  ['a_b=1; a_b=2', 'php', '1'],
  ['a_b=1 ; x=2', 'php', '1 '],
  ['a.b=1; a_b=2', 'php', '1'],
  ['a b=1; a_b=2', 'php', '1'],
  ['a[b=1; a_b=2', 'php', '1'],
  ['a_b[]=1; a_b=2', 'php', ''],
  ['a_b=1; a_b[]', 'php', ''],
  ['a_b=1; x[]=2', 'php', '1'],
  ['a_b; a_b=2', 'php', ''],
  ['a_b =1; a_b=2', 'php', '2'],
  ['A_B=1', 'php', undefined],
  ['a_bc=1; ca_b=2', 'php', undefined],
  ['a_b=1, a_b=2', 'php', '1, a_b=2'],
  ['', 'php', undefined],
  ['a_b=1; a_b=2', 'first', '1'],
  ['a_b = 1 ', 'first', '1'],
  ['a_b; a_b=2', 'first', '2'],
  ['a.b=1; a_b=2', 'first', '2'],
  ['a_b=1; a_b=2', 'django', '2'],
  ['a_b=1; x=3', 'django', '1'],
  ['a_b="1"; x=3', 'django', '"1"'],
  ['\xc2\xa0a_b=\xe2\x80\x831\xe3\x80\x80', 'django', '1'],
  ['a_b; x', 'django', undefined],
  ['a_b=1; a_b=2', 'werkzeug', '1'],
  ['a_b; a_b=2', 'werkzeug', ''],
  ['x="; a_b=1; y="; a_b=2', 'werkzeug', '2'],
  ['x="; a_b=1; y="z; a_b=2', 'werkzeug', '1'],
  ['x="\\"; a_b=1; y=" ; a_b=2', 'werkzeug', '2'],
  ['x="; a_b=1', 'werkzeug', '1'],
  ['a_b = "1;2" ; x=3', 'werkzeug', '"1;2"'],
  ['a_b=1; a_b=2', 'only', undefined],
  ['a_b=1; x=2; a_b=1', 'only', '1'],
  ['x=1', 'only', undefined],
  ['a_b=x=y', 'first', 'x=y'],
  [';;; a_b=1;', 'first', '1'],
];

for (const [line, reader, value] of rows) {
  test(`a ${reader} reader finds ${JSON.stringify(value)} in ${JSON.stringify(line)}`, () => {
    assert.equal(findCookie(line, 'a_b', reader), value);
  });
}

test('a prefixed name is found only as it is spelled', () => {
  assert.equal(findCookie('__Host.x=1; __Host-x=2', '__Host-x', 'php'), '2');
  assert.equal(findCookie('..Host-x=1', '__Host-x', 'php'), undefined);
});

test('PHP itself reads every line as we do', async (t) => {
  const processes = new Processes();
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-cookies-'));
  t.after(async () => {
    await processes.close();
    await rm(folder, { recursive: true });
  });
  const script = join(folder, 'cookies.php');
  await writeFile(
    script,
    `<?php $v = $_COOKIE['a_b'] ?? null; echo json_encode(is_array($v) ? '' : ($v === null ? null : bin2hex($v)));`,
  );
  const port = await freePort();
  processes.start('php', ['php', '-S', `127.0.0.1:${port}`, script]);
  await until('php answers', () => phpReads(port, 'a_b=1'));

  const name = fc.constantFrom(
    'a_b',
    'a.b',
    'a b',
    'a[b',
    'a_b[]',
    'a_b[x',
    'a_b ',
    ' a_b',
    'a',
    '',
    'a_',
    'a_bc',
    'a..b',
    'a]b',
    'a_b]',
  );
  const value = fc.constantFrom('', '=', '=1', '=%41%zz', '=a+b', '= x ', '="q"', '=%2', '=a=b', '=%00x', '==');
  const line = fc.array(fc.tuple(name, value, fc.constantFrom(';', '; ', ' ; ', ';;')), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(line, async (parts) => {
      // White space around a field's value is not part of it (RFC 9110 section 5.5).
      const text = parts
        .map((part) => part.join(''))
        .join('')
        .trim();
      const ours = findCookie(text, 'a_b', 'php');
      const expected = ours === undefined ? null : Buffer.from(percentDecoded(ours), 'latin1').toString('hex');
      assert.equal(await phpReads(port, text), JSON.stringify(expected), text);
    }),
    { numRuns: 300 },
  );
});

/** What PHP sees, as JSON. Raw, because a browser's client would tidy the line first. */
function phpReads(port: number, cookie: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1');
    socket.on('error', reject);
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('end', () => resolve(text.slice(text.indexOf('\r\n\r\n') + 4)));
    socket.write(`GET / HTTP/1.0\r\nCookie: ${cookie}\r\n\r\n`, 'latin1');
  });
}

test('only whole escapes are decoded, and + stays', () => {
  assert.equal(percentDecoded('a%2Db%2db%zz%4+%'), 'a-b-b%zz%4+%');
  assert.equal(percentDecoded('%25%32%35'), '%25');
});

test('someCookie stops at the first true and at its bound', () => {
  const seen: string[] = [];
  const visit = (name: string, value: string) => seen.push(`${name}=${value}`) === 2;
  assert.equal(someCookie('a=1; noise; b = 2; c=3', 10, visit), true);
  assert.deepEqual(seen, ['a=1', 'b=2']);
  assert.equal(
    someCookie('a=1; b=2; c=3', 2, (name) => name === 'c'),
    false,
  );
});

test('stripping removes every cookie of the name and nothing else', () => {
  assert.equal(withoutCookie('a=1; hf=x; b=2; hf=y', 'hf'), 'a=1; b=2');
  assert.equal(withoutCookie('hf=x', 'hf'), null);
  assert.equal(withoutCookie('hf=x; ; hf = y;', 'hf'), null);
  assert.equal(withoutCookie('a=hf', 'hf'), undefined);
  assert.equal(withoutCookie('hfx=1; xhf=2; hf', 'hf'), undefined);
  assert.equal(withoutCookie('a=1;hf=x;b="2 3"', 'hf'), 'a=1; b="2 3"');
});

test('what is left after stripping reads the same to every reader', () => {
  const part = fc.tuple(
    fc.constantFrom('a', 'hf', 'b', 'hf2', ' hf'),
    fc.constantFrom('', '=', '=1', '=2; x', '=3 ', ' = 4 ', ';', '[', '[]='),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.constantFrom('a', 'b', 'hf2'), (parts, name) => {
      const line = parts
        .map((each) => each.join(''))
        .join('; ')
        .trim();
      const stripped = withoutCookie(line, 'hf');
      const rest = stripped === undefined ? line : (stripped ?? '').trim();
      assert.equal(findCookie(rest, 'hf', 'first'), undefined);
      for (const reader of ['php', 'first', 'only', 'django', 'werkzeug'] as const) {
        assert.equal(findCookie(rest, name, reader), findCookie(line, name, reader));
      }
    }),
  );
});
