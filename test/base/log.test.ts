import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../src/base/errors.ts';
import type { AccessLine, LogOptions } from '../../src/base/log.ts';
import { createLog } from '../../src/base/log.ts';

function written(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const log = createLog({ level: 'info', ...options, destination: { write: (line) => void lines.push(line) } });
  return { log, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

const exchange: AccessLine = {
  method: 'GET',
  target: '/cart?token=abc',
  status: 200,
  affinity: 'hit',
  pod: 'pod-a',
  tried: ['pod-b', 'pod-a'],
  ms: 1.2345,
  session: () => '0123456789abcdef',
};

test('a line is one JSON object with level, time, fields and words', () => {
  const { log, lines, parsed } = written();
  log.child({ part: 'store' }).info({ pod: 'pod-a', count: 3 }, 'connected');
  const [line] = parsed();
  assert.ok(lines[0]?.endsWith('}\n'));
  assert.match(String(line?.['time']), /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(
    { ...line, time: 0 },
    { level: 'info', time: 0, part: 'store', pod: 'pod-a', count: 3, msg: 'connected' },
  );
});

test('the level can be changed at any time, and holds for children made before', () => {
  const { log, lines } = written({ level: 'warn' });
  const child = log.child({ part: 'x' });
  child.info({}, 'not yet');
  log.level = 'debug';
  child.debug({}, 'now');
  log.level = 'silent';
  child.error({}, 'never');
  log.access(exchange);
  assert.equal(lines.length, 1);
  assert.equal(child.level, 'silent');
});

test('fields named like a secret are withheld, and credentials in a URL are cut out', () => {
  const { log, lines } = written();
  log.warn(
    {
      cookie: 'hidden1',
      setCookie: 'hidden2',
      storeKey: 'hidden3',
      key: 'hidden4',
      adminToken: 'hidden5',
      url: 'redis://u:hidden6@redis:6379/1',
    },
    'x',
  );
  log.warn({ keys: ['hidden7'], error: new Error('at redis://u:hidden8@redis') }, 'y');
  assert.doesNotMatch(lines.join(''), /hidden/);
  assert.match(lines.join(''), /redis:\/\/\[withheld\]@redis:6379\/1/);
});

test('an object never gets into a line whole, nor an error beyond its kind and words', () => {
  const { log, lines } = written();
  const foreign = Object.assign(new Error('reply'), { code: 'ECONNRESET', command: { args: ['sealed session'] } });
  log.warn(
    { head: { cookie: 'secret' }, error: new HoldfastError('store-unavailable', 'put.', { cause: foreign }) },
    'x',
  );
  assert.doesNotMatch(lines.join(''), /secret|sealed session/);
  assert.match(lines.join(''), /store-unavailable: .* <- ECONNRESET: reply/);
});

test('a cause that its error has told already is not told again', () => {
  const { log, parsed } = written();
  const cause = new Error('listen EADDRINUSE 127.0.0.1:80');
  log.warn({ error: new HoldfastError('listen-failed', `127.0.0.1:80: ${cause.message}`, { cause }) }, 'x');
  assert.equal(String(parsed()[0]?.['error']).split('EADDRINUSE').length, 2);
  const wordless = Object.assign(new Error(''), { code: 'ECONNREFUSED' });
  log.warn({ error: new HoldfastError('store-unavailable', 'put.', { cause: wordless }) }, 'x');
  assert.match(String(parsed()[1]?.['error']), / <- ECONNREFUSED/, 'a cause without words says its code');
});

test('the access line has the promised fields, and the path without its query', () => {
  const { log, lines, parsed } = written();
  log.access(exchange);
  assert.deepEqual(Object.keys(parsed()[0] ?? {}).slice(0, 10), [
    'level',
    'time',
    'msg',
    'method',
    'path',
    'status',
    'affinity',
    'pod',
    'tried',
    'ms',
  ]);
  const { path, tried, ms, session } = parsed()[0] ?? {};
  assert.deepEqual(
    { path, tried, ms, session },
    { path: '/cart', tried: ['pod-b', 'pod-a'], ms: 1.2, session: '0123456789abcdef' },
  );
  assert.equal(lines.length, 1);
});

test('log.query keeps the query, log.access: false writes no access line', () => {
  const shown = written({ query: true });
  shown.log.access(exchange);
  assert.equal(shown.parsed()[0]?.['path'], '/cart?token=abc');
  const silent = written({ access: false });
  silent.log.access(exchange);
  assert.deepEqual(silent.lines, []);
  assert.equal(silent.log.writesAccess, false);
});

test('no path can break out of its line: it is escaped and cut at 256 characters', () => {
  const { log, lines, parsed } = written();
  const target = `/"\\\n\u001b[2J\u0085\u2028${'a'.repeat(400)}`;
  log.access({ ...exchange, target, method: 'M"\n', pod: undefined, tried: [] });
  assert.equal(lines.join('').split('\n').length, 2);
  assert.match(lines[0] ?? '', /^[\x20-\x7e]*\n$/);
  assert.equal(parsed()[0]?.['path'], target.slice(0, 256));
  assert.equal(parsed()[0]?.['pod'], null);
});

test('a destination that fails loses lines and nothing else', () => {
  const log = createLog({
    level: 'info',
    destination: {
      write: () => undefined,
      flushSync: () => {
        throw new Error('disk full');
      },
    },
  });
  assert.doesNotThrow(() => log.error({}, 'x'));
});
