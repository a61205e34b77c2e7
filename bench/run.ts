/**
 * CPU per proxied request beside other proxies: `make bench`, or `node bench/run.ts [NAME...]` for some of them.
 * ROUNDS (5) interleaved rounds of SECONDS (3) each; every contender first proves that it answers correctly and
 * sticks. Loopback only; figures of one run are comparable with each other and with nothing else.
 */

import { execFileSync } from 'node:child_process';
import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../test/support/free-port.ts';
import { Processes, findProgram } from '../test/support/processes.ts';
import type { RunningProcess } from '../test/support/processes.ts';
import type { Backend, Command, Contender } from './contender.ts';
import { envoy } from './contenders/envoy.ts';
import { haproxy } from './contenders/haproxy.ts';
import { holdfast } from './contenders/holdfast.ts';
import { httpProxy3 } from './contenders/http-proxy-3.ts';
import { nginx } from './contenders/nginx.ts';
import { cpuTimeUs, residentBytes } from './cpu-time.ts';
import { load, meetVisitors } from './load.ts';
import { formatSpread, formatTable, ratio } from './report.ts';
import type { Row, Round } from './report.ts';
import { startBackends, traffics } from './traffic.ts';
import type { Traffic, TrafficName } from './traffic.ts';

const rounds = positive('ROUNDS', 5);
const seconds = positive('SECONDS', 3);
const warmUpRequests = 40_000;
const warmUpSecondsMax = 6;

interface Running {
  readonly name: string;
  readonly how: string;
  readonly origin: string;
  readonly process: RunningProcess;
  readonly cookies: readonly string[];
  readonly rounds: Round[];
}

// With two cores and more, proxies have one and everything else another: fewer surprises between rounds.
const cores = availableParallelism() > 1 && has('taskset');
const onProxyCore = (command: Command): Command => (cores ? ['taskset', '-c', '0', ...command] : command);
const onLoadCore = (command: Command): Command => (cores ? ['taskset', '-c', '1', ...command] : command);

const processes = new Processes();
const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
try {
  await bench(process.argv.slice(2));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  await processes.close();
  await rm(folder, { recursive: true, force: true });
}

async function bench(wanted: readonly string[]): Promise<void> {
  for (const program of ['wrk', 'nginx', 'haproxy']) findProgram(program);
  const running: Running[] = [];
  for (const { contenders, traffic } of program()) {
    const taking = contenders.filter(({ name }) => name === 'HAProxy' || wanted.length === 0 || wanted.includes(name));
    if (!taking.some(({ name }) => name !== 'HAProxy') && traffic.name === 'laravel') continue;
    const ports = await freePorts(3);
    const backends = await startBackends(traffic, { processes, folder, ports, pinned: onLoadCore });
    for (const contender of taking) {
      const reason = contender.unavailable?.();
      if (reason === undefined) running.push(await introduce(contender, { traffic, backends }));
      else console.log(`${contender.name} does not take part: ${reason}`);
    }
  }
  console.log(`${describeMachine()}\n${rounds} rounds of ${seconds} s each, 64 connections, 1 KB answers\n`);
  for (const one of running) await warmUp(one);
  for (let round = 0; round < rounds; round++) {
    for (const one of running) one.rounds.push(await measure(one, seconds));
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
  report(running.map((one) => ({ ...one, residentBytes: residentBytes(one.process.pid) })));
}

/** Who is measured under which traffic. */
function program(): readonly { traffic: Traffic; contenders: readonly Contender[] }[] {
  const plain = traffics.plain();
  const laravel = traffics.laravel();
  const all = [haproxy, nginx(plain.cookie), envoy(plain.cookie), httpProxy3(plain.cookie), holdfast(plain.session)];
  return [
    { traffic: plain, contenders: all },
    { traffic: laravel, contenders: [haproxy, holdfast(laravel.session)] },
  ];
}

/** Starts a contender and lets it prove itself. */
async function introduce(
  contender: Contender,
  given: { readonly traffic: Traffic; readonly backends: readonly Backend[] },
): Promise<Running> {
  const { traffic, backends } = given;
  const name = nameIn(contender.name, traffic.name);
  const own = join(folder, name.replaceAll(/[^A-Za-z0-9]+/g, '-'));
  await mkdir(own);
  const [port, adminPort] = (await freePorts(2)) as [number, number];
  const proxy = await contender.start({ processes, folder: own, port, adminPort, backends, pinned: onProxyCore });
  const origin = `http://127.0.0.1:${port}`;
  await proxy.ready('answers 200', async () => (await fetch(`${origin}/`)).status === 200, { deadlineMs: 20_000 });
  const body = await (await fetch(`http://127.0.0.1:${backends[0]!.port}/`)).text();
  try {
    const cookies = await meetVisitors(origin, { body, numbered: traffic.name === 'laravel' });
    console.log(`${name}: answers correctly and sticks`);
    return { name, how: contender.how, origin, process: proxy, cookies, rounds: [] };
  } catch (error) {
    throw new Error(`${name} is not fit to be measured: ${(error as Error).message}\n${proxy.output}`, {
      cause: error,
    });
  }
}

/** Compiled code is what runs in production: unmeasured seconds until enough requests have passed, within a bound. */
async function warmUp(one: Running): Promise<void> {
  let requests = 0;
  for (let second = 0; second < warmUpSecondsMax && requests < warmUpRequests; second++) {
    requests += (await measure(one, 1)).requestsPerSecond;
  }
}

async function measure(one: Running, forSeconds: number): Promise<Round> {
  const before = cpuTimeUs(one.process.pid);
  const options = { processes, folder, cookies: one.cookies, seconds: forSeconds, pinned: onLoadCore };
  try {
    const { requests, requestsPerSecond, p99Us } = await load(one.origin, options);
    return { cpuUsPerRequest: (cpuTimeUs(one.process.pid) - before) / requests, requestsPerSecond, p99Us };
  } catch (error) {
    throw new Error(`${one.name}: ${(error as Error).message}\n${one.process.output.slice(-2000)}`, { cause: error });
  }
}

function report(rows: readonly Row[]): void {
  const find = (name: string) => rows.find((row) => row.name === name);
  const base = find('HAProxy')!;
  console.log(`\n${formatTable(rows, base)}\n`);
  const aims = [
    { of: 'Holdfast', over: 'HAProxy', most: 1.25 },
    { of: 'Holdfast, Laravel', over: 'HAProxy', most: 1.7 },
    { of: 'Holdfast', over: 'http-proxy-3', most: 0.3 },
    { of: 'Holdfast', over: 'Envoy', most: 1 },
  ];
  for (const { of, over, most } of aims) {
    const [row, other] = [find(of), find(over)];
    if (row === undefined || other === undefined) continue;
    const value = ratio(row, other);
    const verdict = value.median <= most ? 'met' : 'missed';
    console.log(`${of} / ${over}: ${formatSpread(value, 2)}, aim at most ${most}: ${verdict}`);
  }
}

function nameIn(name: string, traffic: TrafficName): string {
  return traffic === 'laravel' ? `${name}, Laravel` : name;
}

function describeMachine(): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' });
  const processor = cpus()[0]?.model ?? 'unknown processor';
  return `\n${processor}, ${cpus().length} cores, Node ${process.versions.node}, commit ${commit.trim()}`;
}

function has(program: string): boolean {
  try {
    findProgram(program);
    return true;
  } catch {
    return false;
  }
}

/** @throws Error where the environment has something else than a whole number from 1 on. */
function positive(name: string, fallback: number): number {
  const given = process.env[name];
  if (given === undefined || given === '') return fallback;
  if (!/^[1-9]\d{0,3}$/.test(given)) throw new Error(`${name}=${given} is not a number from 1 to 9999`);
  return Number(given);
}
