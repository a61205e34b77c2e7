/**
 * What a kept session costs: `make bench-keeper`. One sidecar in front of one application, the same requests with
 * the keeper and without it (`sessions.ignore`), a session that stays as it is and one that every request changes.
 * ROUNDS (7) interleaved rounds of SECONDS (2) each; processor time under 64 connections, waiting time on one.
 */

import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { freePorts } from '../test/support/free-port.ts';
import { Processes, nodeProgram, repositoryRoot } from '../test/support/processes.ts';
import type { RunningProcess } from '../test/support/processes.ts';
import type { Command } from './contender.ts';
import { cpuTimeUs } from './cpu-time.ts';
import { load } from './load.ts';
import { estimate, formatEstimate } from './statistics.ts';
import { rounds, seconds } from './settings.ts';

const warmUpSeconds = 4;
const visitors = 1000;
const onProxyCore = (command: Command): Command => ['taskset', '-c', '0', ...command];
const onLoadCore = (command: Command): Command => ['taskset', '-c', '1', ...command];

interface Measured {
  readonly name: string;
  readonly path: '/read' | '/write';
  readonly sidecar: Sidecar;
  readonly rounds: { readonly cpuUs: number; readonly redisUs: number; readonly p50Us: number }[];
}

interface Sidecar {
  readonly origin: string;
  readonly process: RunningProcess;
}

const processes = new Processes();
const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
try {
  await bench();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  await processes.close();
  await rm(folder, { recursive: true, force: true });
}

async function bench(): Promise<void> {
  const cookies = Array.from({ length: visitors }, (_, index) => `PHPSESSID=${String(index).padStart(26, 'v')}`);
  const [redisPort] = (await freePorts(1)) as [number];
  const redis = processes.start(
    'redis',
    onLoadCore([
      'redis-server',
      '--port',
      String(redisPort),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
    ]),
  );
  const kept = await startSidecar('kept', { redisPort, ignored: [] });
  const bare = await startSidecar('bare', { redisPort, ignored: ['/'] });
  for (const { origin } of [kept, bare]) {
    for (const cookie of cookies) await (await request(`${origin}/read`, { headers: { cookie } })).body.dump();
  }
  const measured: readonly Measured[] = [
    { name: 'without the keeper', path: '/read', sidecar: bare, rounds: [] },
    { name: 'kept, unchanged and confirmed', path: '/read', sidecar: kept, rounds: [] },
    { name: 'without the keeper', path: '/write', sidecar: bare, rounds: [] },
    { name: 'kept, changed and stored', path: '/write', sidecar: kept, rounds: [] },
  ];
  for (const { sidecar, path } of measured) await visit(sidecar, { path, cookies, forSeconds: warmUpSeconds });
  for (let round = 0; round < rounds; round++) {
    for (const { sidecar, path, rounds: results } of measured) {
      const before = { sidecar: cpuTimeUs(sidecar.process.pid), redis: cpuTimeUs(redis.pid) };
      const { requests } = await visit(sidecar, { path, cookies, forSeconds: seconds });
      const cpuUs = (cpuTimeUs(sidecar.process.pid) - before.sidecar) / requests;
      const redisUs = (cpuTimeUs(redis.pid) - before.redis) / requests;
      const { p50Us } = await visit(sidecar, { path, cookies, forSeconds: seconds, connections: 1 });
      results.push({ cpuUs, redisUs, p50Us });
    }
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
  report(measured);
}

async function startSidecar(
  name: string,
  given: { readonly redisPort: number; readonly ignored: readonly string[] },
): Promise<Sidecar> {
  const [port, applicationPort, peerPort, probesPort] = (await freePorts(4)) as [number, number, number, number];
  const directory = join(folder, `${name}-sessions`);
  await mkdir(directory);
  const application = join(import.meta.dirname, 'keeper-application.ts');
  processes.start(`${name} application`, onLoadCore([nodeProgram, application, String(applicationPort), directory]));
  const file = join(folder, `${name}.json`);
  const configuration = {
    role: 'sidecar',
    listen: `127.0.0.1:${port}`,
    admin: 'off',
    probes: `127.0.0.1:${probesPort}`,
    session: { preset: 'php' },
    store: {
      url: `redis://127.0.0.1:${given.redisPort}`,
      key: 'a key for measurements only, open to all',
      prefix: name,
    },
    log: { access: false },
    pod: { name },
    peer: { listen: `127.0.0.1:${peerPort}` },
    application: `127.0.0.1:${applicationPort}`,
    sessions: { directory, ignore: { paths: given.ignored } },
  };
  await writeFile(file, JSON.stringify(configuration, undefined, 2));
  const cli = join(repositoryRoot, 'src/cli.ts');
  const sidecar = processes.start(name, onProxyCore([nodeProgram, cli, 'run', '--config', file]));
  const origin = `http://127.0.0.1:${port}`;
  await sidecar.ready('is ready', async () => (await fetch(`http://127.0.0.1:${probesPort}/readyz`)).ok, {
    deadlineMs: 20_000,
  });
  return { origin, process: sidecar };
}

function visit(
  sidecar: Sidecar,
  options: {
    readonly path: string;
    readonly cookies: readonly string[];
    readonly forSeconds: number;
    readonly connections?: number;
  },
) {
  const { path, cookies, forSeconds, connections = 64 } = options;
  return load(sidecar.origin, {
    processes,
    folder,
    cookies,
    seconds: forSeconds,
    pinned: onLoadCore,
    path,
    connections,
  });
}

function report(measured: readonly Measured[]): void {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' });
  console.log(`\n${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.versions.node}, commit ${commit.trim()}`);
  console.log(`${rounds} rounds of ${seconds} s each, ${visitors} sessions of 1 KB\n`);
  for (const { name, path, rounds: results } of measured) {
    const cpu = formatEstimate(estimate(results.map(({ cpuUs }) => cpuUs)), 1);
    const redis = estimate(results.map(({ redisUs }) => redisUs)).median.toFixed(1);
    const p50 = formatEstimate(estimate(results.map(({ p50Us }) => p50Us)), 0);
    console.log(`${path.padEnd(7)} ${name.padEnd(30)} ${cpu} us CPU, Redis ${redis} us; p50 alone ${p50} us`);
  }
  const more = (kept: Measured, bare: Measured, of: 'cpuUs' | 'p50Us') =>
    estimate(kept.rounds.map((round, index) => round[of] - bare.rounds[index]![of]));
  const aims = [
    { what: 'unchanged and confirmed', rows: [measured[1]!, measured[0]!] as const, cpuUs: 30, p50Us: 0 },
    { what: 'changed and stored', rows: [measured[3]!, measured[2]!] as const, cpuUs: 100, p50Us: 1000 },
  ];
  for (const { what, rows, cpuUs, p50Us } of aims) {
    const cpu = formatEstimate(more(...rows, 'cpuUs'), 1);
    const wait = formatEstimate(more(...rows, 'p50Us'), 0);
    console.log(`${what}: ${cpu} us CPU more (aim ${cpuUs}), ${wait} us longer at p50 (aim ${p50Us})`);
  }
}
