import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { PieceWriter } from '../../src/base/log-output.ts';
import { collectLines } from '../../src/base/log-output.ts';
import { until } from '../support/until.ts';

class ScriptedWriter implements PieceWriter {
  readonly pieces: string[] = [];
  full = false;
  #onDrop: () => void = () => undefined;

  write(piece: string): void {
    if (this.full) this.#onDrop();
    else this.pieces.push(piece);
  }

  flush(): void {
    // Pieces are taken at once here.
  }

  flushSync(): void {
    // As above.
  }

  on(event: 'drop' | 'error', listener: () => void): void {
    if (event === 'drop') this.#onDrop = listener;
  }
}

test('lines are written together, in order, soon after the first', async () => {
  const writer = new ScriptedWriter();
  const output = collectLines(writer);
  output.write('1\n');
  output.write('2\n');
  assert.deepEqual(writer.pieces, []);
  await until('the lines are written', () => writer.pieces.length > 0);
  assert.deepEqual(writer.pieces, ['1\n2\n']);
  output.write('3\n');
  await until('later lines too', () => writer.pieces.length > 1);
});

test('many lines do not wait', () => {
  const writer = new ScriptedWriter();
  const output = collectLines(writer);
  for (let line = 0; line < 100; line++) output.write(`${'x'.repeat(99)}\n`);
  assert.equal(writer.pieces.length, 1);
  output.flushSync();
  assert.equal(writer.pieces.join('').length, 10_000);
});

test('a reader that stopped is told how many lines it missed', () => {
  const writer = new ScriptedWriter();
  const output = collectLines(writer);
  writer.full = true;
  for (const line of ['1\n', '2\n']) output.write(line);
  output.flushSync();
  output.write('3\n');
  output.flushSync();
  writer.full = false;
  output.write('4\n');
  output.flushSync();
  const [notice = '', line] = writer.pieces.join('').split('\n');
  assert.equal((JSON.parse(notice) as { lines: number }).lines, 3);
  assert.equal(line, '4');
});

test('what waits is written when the process exits', () => {
  const log = fileURLToPath(new URL('../../src/base/log.ts', import.meta.url));
  const script = `import { createLog } from '${log}';
    const log = createLog({ level: 'info' });
    log.info({ n: 1 }, 'first');
    log.access({ method: 'GET', target: '/', status: 200, affinity: 'none', pod: undefined, tried: [], ms: 1 });
    process.exit(3);`;
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.equal(ended.status, 3);
  assert.match(ended.stdout, /"msg":"first"\}\n\{.*"msg":"access".*\}\n$/);
});
