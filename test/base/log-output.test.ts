import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { collectLines } from '../../src/base/log-output.ts';
import type { PieceWriter } from '../../src/base/piece-output.ts';
import { until } from '../support/until.ts';

class ScriptedWriter implements PieceWriter {
  readonly pieces: string[] = [];
  full = false;
  #onDrop: () => void = () => undefined;

  write(piece: string): void {
    if (this.full) this.#onDrop();
    else this.pieces.push(piece);
  }

  flushSync(): void {
    // Pieces are taken at once here.
  }

  onDrop(listener: () => void): void {
    this.#onDrop = listener;
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

/** A program that logs errors once its standard output is `broken`, and says so on its error output. */
async function logsOn(
  t: TestContext,
  broken: 'closed' | 'stuck' | 'full',
): Promise<{ code: number | null; said: string }> {
  const log = fileURLToPath(new URL('../../src/base/log.ts', import.meta.url));
  const script = `import { createLog } from '${log}';
    const log = createLog({ level: 'info' });
    process.stdin.once('data', async () => {
      for (let turn = 0; turn < 5; turn++) {
        log.error({ text: 'x'.repeat(2000) }, 'an error');
        for (let line = 0; line < 40; line++) log.info({ text: 'x'.repeat(2000) }, 'a line');
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      process.stderr.write('it goes on');
      process.stdin.destroy();
    });`;
  const stdout = broken === 'full' ? openSync('/dev/full', 'w') : 'pipe';
  const program = [process.execPath, '--input-type=module', '-e', script] as const;
  const child = spawn(program[0], program.slice(1), { stdio: ['pipe', stdout, 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  if (typeof stdout === 'number') closeSync(stdout);
  let said = '';
  child.stderr!.on('data', (text: Buffer) => (said += text.toString()));
  if (broken === 'closed') child.stdout!.destroy();
  child.stdin!.write('go');
  await until('it has logged', () => said.includes('it goes on'), { deadlineMs: 120_000 });
  await until('it has ended', () => child.exitCode !== null);
  return { code: child.exitCode, said };
}

for (const broken of ['closed', 'stuck', 'full'] as const) {
  test(`a standard output that is ${broken} costs lines, and holds up neither the process nor its end`, async (t) => {
    assert.deepEqual(await logsOn(t, broken), { code: 0, said: 'it goes on' });
  });
}
