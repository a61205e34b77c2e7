/**
 * What an attacker costs: `make bench-attacks`. Each attack of attacks/attacks.ts against a gateway as it is deployed,
 * while normal users are served; before each one the same users alone. ONLY=part-of-a-name runs some.
 *
 * The gateway has a core of its own, everything else the other one. Whose the users' waiting is shows beside it: how much of
 * the time the gateway's own thread ran, and how much it was ready to and others had its core. Where it ran little, users
 * waited for the application, the attacker or themselves. Loopback only.
 */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePorts } from '../test/support/free-port.ts';
import { nodeProgram, Processes, repositoryRoot } from '../test/support/processes.ts';
import type { Told } from './attacks/attacker.ts';
import { type Attack, attacks } from './attacks/attacks.ts';
import { users, type UsersSaw } from './attacks/users.ts';

const aloneMs = 4000;
const sampleMs = 100;
const only = process.env['ONLY'] ?? '';
const core = (number: 0 | 1): readonly ['taskset', '-c', string] => ['taskset', '-c', String(number)];

interface Outcome {
  readonly alone: UsersSaw;
  readonly attacked: UsersSaw;
  readonly told: Told;
  readonly baseBytes: number;
  readonly peakBytes: number;
  readonly metrics: string;
  /** Shares of the time of the attack. */
  readonly ran: number;
  readonly waited: number;
}

const processes = new Processes();
const folder = await mkdtemp(join(tmpdir(), 'holdfast-attacks-'));
try {
  console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.versions.node}\n`);
  console.log(
    '| attack | connections | sent | memory before, peak | per byte sent | per connection | p99 alone, attacked | ratio | the gateway ran, waited | failed | seen in the metrics |',
  );
  console.log('|---|---|---|---|---|---|---|---|---|---|---|');
  for (const attack of attacks) if (attack.name.includes(only)) console.log(row(attack, await run(attack)));
} finally {
  await processes.close();
  await rm(folder, { recursive: true, force: true });
}

/** A gateway of its own for each attack, so that no attack is measured in what another one left. */
async function run(attack: Attack): Promise<Outcome> {
  const [port, applicationPort, probesPort] = (await freePorts(3)) as [number, number, number];
  const application = processes.start('application', [
    ...core(1),
    nodeProgram,
    join(import.meta.dirname, 'attacks/application.ts'),
    String(applicationPort),
  ]);
  const file = join(folder, 'gateway.json');
  const configuration = {
    listen: `127.0.0.1:${port}`,
    admin: 'off',
    probes: `127.0.0.1:${probesPort}`,
    session: { preset: 'php' },
    store: { url: 'memory:' },
    affinity: { pinKey: 'a key for measurements only, open to all' },
    pods: { static: [`one=127.0.0.1:${applicationPort}`] },
    log: { access: false },
    limits: { connections: 11_000 },
  };
  await writeFile(file, JSON.stringify(configuration));
  const gateway = processes.start('gateway', [
    ...core(0),
    nodeProgram,
    join(repositoryRoot, 'src/cli.ts'),
    'run',
    '--config',
    file,
  ]);
  const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${probesPort}/metrics`)).text();
  await gateway.ready('is ready', async () => (await fetch(`http://127.0.0.1:${port}/`)).ok, { deadlineMs: 20_000 });
  try {
    await users(port, wait(1500));
    const alone = await users(port, wait(aloneMs));
    const before = counts(await metrics());
    const baseBytes = await memory(gateway.pid);
    const start = { thread: await threadTime(gateway.pid), atMs: performance.now() };
    const attacker = processes.start('attacker', [
      ...core(1),
      nodeProgram,
      join(import.meta.dirname, 'attacks/attacker.ts'),
      attack.name,
      String(port),
    ]);
    let peakBytes = baseBytes;
    const sampling = setInterval(() => {
      void memory(gateway.pid).then((bytes) => (peakBytes = Math.max(peakBytes, bytes)));
    }, sampleMs);
    const attacked = await users(port, attacker.ended);
    clearInterval(sampling);
    const end = await threadTime(gateway.pid);
    const tookMs = performance.now() - start.atMs;
    const shares = {
      ran: (end.ranMs - start.thread.ranMs) / tookMs,
      waited: (end.waitedMs - start.thread.waitedMs) / tookMs,
    };
    const told = JSON.parse(attacker.output.trim().split('\n').at(-1) ?? '') as Told;
    return { alone, attacked, told, baseBytes, peakBytes, metrics: grown(before, counts(await metrics())), ...shares };
  } finally {
    gateway.signal('SIGKILL');
    application.signal('SIGKILL');
    await Promise.all([gateway.ended, application.ended]);
  }
}

function row(attack: Attack, { alone, attacked, told, baseBytes, peakBytes, metrics, ran, waited }: Outcome): string {
  const moreBytes = Math.max(0, peakBytes - baseBytes);
  const cells = [
    attack.name,
    `${told.made} made, ${told.ended} ended by us`,
    mib(told.sentBytes),
    `${mib(baseBytes)}, ${mib(peakBytes)}`,
    `${(moreBytes / Math.max(1, told.sentBytes)).toFixed(2)}x`,
    `${(moreBytes / 1024 / attack.connections).toFixed(1)} KB`,
    `${alone.p99Ms.toFixed(1)}, ${attacked.p99Ms.toFixed(1)} ms`,
    (attacked.p99Ms / alone.p99Ms).toFixed(1),
    `${(ran * 100).toFixed(0)} %, ${(waited * 100).toFixed(0)} %`,
    `${attacked.failures} of ${attacked.requests}`,
    metrics,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Resident memory of the gateway; taskset has become it by exec. */
async function memory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}

/** How long a process's main thread has run, and has been ready to run while others had its core. */
async function threadTime(pid: number): Promise<{ readonly ranMs: number; readonly waitedMs: number }> {
  const text = await readFile(`/proc/${pid}/task/${pid}/schedstat`, 'utf8');
  const [ranNs = 0, waitedNs = 0] = text.split(' ').map(Number);
  return { ranMs: ranNs / 1e6, waitedMs: waitedNs / 1e6 };
}

/** What a limit or a timeout counts, by its label or its name. */
function counts(page: string): ReadonlyMap<string, number> {
  const read = new Map<string, number>();
  for (const [, name = '', value] of page.matchAll(
    /^holdfast_(exchange_failures_total\{reason="[a-z-]+"|connections_closed_total\{reason="[a-z-]+"|replayed_total)[^ ]* (\d+)$/gm,
  )) {
    read.set(/reason="([a-z-]+)"/.exec(name)?.[1] ?? name, Number(value));
  }
  return read;
}

function grown(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string {
  const more = [...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const);
  return more.flatMap(([name, by]) => (by > 0 ? [`${name} ${by}`] : [])).join(', ') || 'connections only';
}

function mib(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(bytes < 1024 ** 2 ? 2 : 0)} MB`;
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
