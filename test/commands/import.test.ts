/** `holdfast import` as a user runs it: real processes, a real Redis, thousands of files. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { ImportProgress } from '../../src/commands/import-progress.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { Processes, nodeProgram, repositoryRoot } from '../support/processes.ts';
import type { RunningProcess } from '../support/processes.ts';
import { RedisServer } from '../support/redis-server.ts';
import { until } from '../support/until.ts';

const files = 3000;

class Case {
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-import-'));
  readonly processes = new Processes();

  constructor(t: TestContext) {
    t.after(async () => {
      await this.processes.close();
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  fill(count = files): void {
    for (let index = 0; index < count; index++) {
      writeFileSync(join(this.directory, String(index).padStart(40, 'A')), `session ${index}`);
    }
  }

  start(url: string, words: readonly string[] = []): RunningProcess {
    const keys = `session.keys=base64:${Buffer.alloc(32, 1).toString('base64')}`;
    const settings = ['session.preset=laravel', keys, `store.url=${url}`, 'store.key=a store key of the tests'];
    const flags = settings.flatMap((setting) => ['--set', setting]);
    const cli = join(repositoryRoot, 'src/cli.ts');
    return this.processes.start('import', [nodeProgram, cli, 'import', this.directory, ...flags, ...words]);
  }

  async run(url: string, words: readonly string[] = []): Promise<{ code: number | null; output: string }> {
    const running = this.start(url, words);
    const { code } = await running.ended;
    return { code, output: running.output };
  }
}

async function redis(t: TestContext): Promise<RedisServer> {
  const server = await RedisServer.start();
  t.after(() => server.stop());
  return server;
}

test('an import needs no more than session and store, and is safe to run twice', async (t) => {
  const it = new Case(t);
  it.fill();
  const server = await redis(t);
  const dry = await it.run(server.url, ['--dry-run']);
  assert.equal(dry.code, 0, dry.output);
  assert.match(dry.output, /^3,000 sessions would be imported, of 3,000 files/m);
  assert.equal(
    await server.command('EXISTS nothing', 'DBSIZE'),
    ':2',
    "nothing but the ping's probe and the mark of the keys",
  );
  const first = await it.run(server.url);
  assert.equal(first.code, 0, first.output);
  assert.match(first.output, /^3,000 sessions imported, of 3,000 files, in [0-9.]+ s$/m);
  const again = await it.run(server.url);
  assert.match(again.output, /^0 sessions imported, of 3,000 files, .*\n {2}3,000 were imported before$/m);
});

test('a stopped import says how to go on, and the next run does', async (t) => {
  const it = new Case(t);
  it.fill();
  const server = await redis(t);
  // So far away that all would take ten seconds, whatever machine this is.
  const line = await FaultProxy.listen({ target: { host: '127.0.0.1', port: server.port } });
  t.after(() => line.close());
  await line.set({ kind: 'latency', ms: 100 });
  const running = it.start(`redis://127.0.0.1:${line.port}`, ['--set', 'timeouts.store=10s']);
  await until('some are stored', async () => Number((await server.command('DBSIZE')).slice(1)) > 100);
  running.signal('SIGINT');
  const { code } = await running.ended;
  assert.equal(code, 2, running.output);
  assert.match(running.output, /stopped\. Run the same command again to go on/);
  const next = await it.run(server.url);
  assert.equal(next.code, 0, next.output);
  const [, stored, before] =
    /^([0-9,]+) sessions imported.*\n {2}([0-9,]+) were imported before$/m.exec(next.output) ?? [];
  const count = (text = ''): number => Number(text.replaceAll(',', ''));
  assert.equal(count(stored) + count(before), files, next.output);
});

test('a store that is not there ends the import before it begins', async (t) => {
  const it = new Case(t);
  it.fill(3);
  const { code, output } = await it.run('redis://127.0.0.1:1');
  assert.equal(code, 2);
  assert.match(output, /the store does not answer, so nothing was imported/);
});

test('a store that goes away for a while is waited for', async (t) => {
  const it = new Case(t);
  it.fill();
  const server = await RedisServer.start({ appendOnly: true });
  t.after(() => server.stop());
  const running = it.start(server.url);
  await until('some are stored', async () => Number((await server.command('DBSIZE')).slice(1)) > 100);
  await server.restart();
  const { code } = await running.ended;
  assert.equal(code, 0, running.output);
  assert.ok(Number((await server.command('DBSIZE')).slice(1)) >= files, 'every session is there');
});

test('wrong arguments are told apart from failures', async (t) => {
  const it = new Case(t);
  rmSync(it.directory, { recursive: true });
  const missing = await it.run('redis://127.0.0.1:1');
  assert.equal(missing.code, 1);
  assert.match(missing.output, /there is no such directory/);
  const bad = await it.run('redis://127.0.0.1:1', ['--set', 'session.preset=nonsense']);
  assert.equal(bad.code, 1);
});

test('progress is a bar on a terminal and a line now and then elsewhere', () => {
  for (const isTTY of [true, false]) {
    let written = '';
    let now = 0;
    const output = { isTTY, write: (text: string) => (written += text) };
    const progress = new ImportProgress({ total: 200, output, nowMs: () => now });
    for (let index = 0; index < 100; index++) {
      now += 60;
      progress.step();
    }
    progress.end();
    const wanted = isTTY ? '\r[###############...............] 50%  100 of 200 files, 17/s\u001b[K\n' : '';
    assert.ok(written.endsWith(wanted), JSON.stringify(written.slice(-120)));
    const lines = written.match(/^importing: 42% {2}84 of 200 files, 17\/s\n/gm) ?? [];
    assert.equal(lines.length, isTTY ? 0 : 1, written);
  }
});
