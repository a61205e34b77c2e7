/** Workers whose parent is killed: real processes, at the two moments at which nothing else keeps them. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { request } from 'undici';

import { isRunning } from '../support/deployed-workers.ts';
import { freePorts } from '../support/free-port.ts';
import { nodeProgram, repositoryRoot } from '../support/processes.ts';
import { until } from '../support/until.ts';

interface Parent {
  readonly port: number;
  /** The workers that it has started. */
  readonly workers: () => readonly number[];
  /** Workers come no further than their first line before this. */
  readonly letGo: () => void;
  readonly isReady: () => Promise<boolean>;
  /** Nobody reads its and its workers' output any more. */
  readonly deafen: () => void;
  /** kill -9; resolves when it is dead. */
  readonly kill: () => Promise<unknown>;
}

/** A gateway with two workers before a pod that is not there. */
async function parent(t: TestContext): Promise<Parent> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-orphans-'));
  const [port, probesPort, podPort] = (await freePorts(3)) as [number, number, number];
  const config = join(folder, 'config.yaml');
  const settings = {
    listen: `127.0.0.1:${port}`,
    admin: 'off',
    probes: `127.0.0.1:${probesPort}`,
    workers: 2,
    session: { preset: 'php' },
    pods: { static: [`a=127.0.0.1:${podPort}`] },
    affinity: { pinKey: 'a pin key for workers that are left' },
  };
  writeFileSync(config, JSON.stringify(settings));
  const hold = join(folder, 'go');
  const held = `--import=${join(repositoryRoot, 'test/support/held-worker.ts')}`;
  const command = [held, join(repositoryRoot, 'src/cli.ts'), 'run', '--config', config];
  const env = { ...process.env, HOLDS_WORKERS_UNTIL: hold };
  const gateway = spawn(nodeProgram, command, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const dead = once(gateway, 'exit');
  let output = '';
  gateway.stdout.on('data', (text: Buffer) => (output += text.toString()));
  const workers = (): readonly number[] =>
    [...output.matchAll(/"pid":(\d+),"msg":"a worker was started"/g)].map(([, pid]) => Number(pid));
  t.after(() => {
    gateway.kill('SIGKILL');
    for (const pid of workers().filter(isRunning)) process.kill(pid, 'SIGKILL');
    rmSync(folder, { recursive: true });
  });
  return {
    port,
    workers,
    letGo: () => writeFileSync(hold, ''),
    isReady: async () => (await request(`http://127.0.0.1:${probesPort}/readyz`)).statusCode === 200,
    deafen: () => void gateway.stdout.destroy(),
    kill() {
      gateway.kill('SIGKILL');
      return dead;
    },
  };
}

/** Three programs are loaded, one after the other. */
const busy = { deadlineMs: 120_000 };
const moments = ['while they are just starting', 'while they serve nobody', 'with whoever read their log'] as const;

for (const moment of moments) {
  test(`workers whose parent is killed ${moment} end, and leave the address to others`, async (t) => {
    const { port, workers, letGo, isReady, deafen, kill } = await parent(t);
    await until('both were started', () => workers().length === 2, busy);
    const started = workers();
    if (moment !== 'while they are just starting') {
      letGo();
      await until('it is ready', isReady, busy);
    }
    if (moment === 'with whoever read their log') deafen();
    await kill();
    letGo();
    await until('they have ended', () => !started.some(isRunning), busy);
    const next = createServer().listen(port, '127.0.0.1');
    await once(next, 'listening');
    next.close();
  });
}
