/**
 * docs/benchmarks.md: a run's results with the rules of the game. The page is nothing but its results: it can be written
 * again from them, without measuring.
 */

import { outcomes } from '../goals.ts';
import { formatAim, formatMeasured } from '../report.ts';
import type { Results } from '../results.ts';
import { bodiesTable, contenderTable, growthTable, latencyTable, memoryTable, processorTimeTable } from './tables.ts';
import type { Table } from './tables.ts';

export function benchmarksPage(results: Results): string {
  const sections = [
    opening(results),
    goals(results),
    field(results),
    processorTime(results),
    latency(results),
    memory(results),
    bodies(results),
    newConnections(results),
    tls(results),
    workers(results),
    growth(results),
    rules(),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function opening({ machine, settings }: Results): string {
  const warning = settings.quick
    ? '\n\n**A quick look, on a machine that was busy: these figures are not for comparing.**'
    : '';
  return `# Benchmarks

Holdfast beside the proxies that one would take otherwise, in one run of \`make bench-docs\`. This page and its plots are
written from [benchmarks/results.json](benchmarks/results.json); \`make bench-page\` writes them again without measuring.

**Machine:** ${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB; ${machine.system}, Linux ${machine.kernel}, Node ${machine.node}.
**Run:** commit ${machine.commit}, ${machine.date}, ${settings.rounds} rounds of ${settings.seconds} s, ${settings.minutes} minutes in all.${warning}`;
}

function goals(results: Results): string {
  const rows = outcomes(results).map((outcome) => [
    outcome.goal,
    formatAim(outcome),
    formatMeasured(outcome),
    outcome.met ? 'met' : '**missed**',
  ]);
  return rows.length === 0 ? '' : `## Goals\n\n${markdown([['goal', 'aim', 'measured', ''], ...rows])}`;
}

function field({ contenders, absent }: Results): string {
  const missing = absent.map(({ name, why }) => `- ${name} does not take part: ${why}`).join('\n');
  return `## Who takes part

Each stands in front of the same three backends, has one core, and first proves with 100 visitors that its answers are the
backend's and that it sticks.

${markdown(contenderTable(contenders), '---')}${missing === '' ? '' : `\n\n${missing}`}`;
}

function processorTime({ processorTime: rows }: Results): string {
  if (rows === undefined) return '';
  return `## Processor time of a request

![Bars: processor time of a request for each proxy](benchmarks/cpu-per-request.svg)

64 keep-alive connections ask as fast as they are answered, with a browser's header fields and the visitors' cookies; the
answers have 1 KB. "Of its core" says how much of its core the proxy had: where that is well below 100 %, the load's core was
the limit, and the proxy could carry more requests than stand there. In parentheses: the 95 % interval of the median.

${markdown(processorTimeTable(rows))}`;
}

function latency({ latency: given }: Results): string {
  if (given === undefined) return '';
  const { requestsPerSecond, slowest, unable } = given;
  const left =
    unable.length === 0 ? '' : ` ${unable.join(', ')}: not at this rate, which is beyond 90 % of their own peak.`;
  return `## Latency

![Dots: p50, p99 and p99.9 of each proxy](benchmarks/latency.svg)

${requestsPerSecond.toLocaleString('en')} requests a second for everybody: 70 % of what ${slowest} carried, the slowest of the
good contenders.${left} The load is open: requests leave at planned moments, answered or not, and their time counts from
the planned moment, so that a proxy that stalls is not asked less while it stalls. "Load late" is how long after that moment
the load itself sent a request: no latency is known better than that.

${markdown(latencyTable(given))}`;
}

function memory({ memory: given }: Results): string {
  if (given === undefined) return '';
  return `## Memory of connections

![Bars: memory of an idle connection for each proxy](benchmarks/memory.svg)

Each proxy is started anew. An idle connection has had one answer and is silent; an active one has an answer under way that its
backend sends slowly (${given.activeConnections.toLocaleString('en')} of them, on both sides of the proxy).

${markdown(memoryTable(given))}`;
}

function bodies({ bodies: given }: Results): string {
  if (given === undefined) return '';
  return `## Bodies

Small bodies as above; 1 GB on one connection, with the most memory that the proxy grew by meanwhile.

${markdown(bodiesTable(given))}`;
}

function newConnections({ newConnections: given }: Results): string {
  if (given === undefined) return '';
  return `## New connections

![Bars: processor time of a request on a new connection](benchmarks/new-connections.svg)

Each request comes on a connection of its own; connections to the backends are kept by all.

${markdown(processorTimeTable(given.rows))}${notMeasured(given)}`;
}

function notMeasured({ absent }: Pick<Results, 'absent'>): string {
  return absent.length === 0
    ? ''
    : `\n\n${absent.map(({ name, why }) => `- ${name}: not measured: ${why}`).join('\n')}`;
}

function tls({ tls: given }: Results): string {
  if (given === undefined) return '';
  return `## TLS

The client's side is encrypted (an EC certificate, P-256). On connections that are kept:

${markdown(processorTimeTable(given.kept))}

A handshake for each request:

${markdown(processorTimeTable(given.handshakes))}${notMeasured(given)}`;
}

function workers({ workers: given }: Results): string {
  if (given === undefined) return '';
  return `## Several workers

Two workers (threads, where the proxy has those) on the one core that it has here, so that what is seen is the price of sharing;
the gain needs a machine on which load and proxies do not share two cores.

${markdown(processorTimeTable(given.rows))}${notMeasured(given)}`;
}

function growth({ growth: given }: Results): string {
  if (given === undefined) return '';
  return `## Growth

![Lines: processor time of a request over pods, sessions and connections](benchmarks/growth.svg)

CPU us/request. Pods: 1,000 sessions over them, health checks included. Sessions: each request is another session's, at 1,000,000
no cache knows the next one. Connections: one rate for all, spread over that many open connections.

${given.map((one) => markdown(growthTable(one))).join('\n\n')}`;
}

function rules(): string {
  return `## The rules

- **Processor time, not requests a second, is the measure.** Load, backends and proxies share one machine here, and a proxy that
  is fast enough leaves the load's core as the limit: requests a second then say nothing about the proxy. Processor time (user and
  kernel, of all threads and processes, from \`/proc\`) is what one pays for, and is steady from run to run.
- **Rounds are interleaved**: everybody has a turn in each round, ratios are taken within a round, and what stands here is the
  median of those, with a bootstrapped 95 % interval (2,000 resamples, fixed seed). Figures of different runs are not comparable.
- **The proxies' core is not the load's.** Proxies run on one core, wrk, the open-loop load and the backends (nginx, so that they
  cost little) on the other. Everything is on loopback: no network card, no real latency.
- **Same work**: keep-alive on both sides, no access log, affinity by cookie, \`X-Forwarded-For\` (but for fast-proxy, which sends
  \`X-Forwarded-Host\`, and @fastify/http-proxy). Otherwise each has its defaults, and is warmed up before it counts.
- **Unfair to HAProxy and nginx**: Debian's versions are older than what their makers ship, and for HAProxy its own cookie is added
  to what clients send.
- **Unfair to nginx, Envoy and the libraries of npm the other way round**: they hash the session cookie's text. That costs less than
  a signature, and does not stick where the text changes (Laravel) or pods come and go.
- **Unfair to Caddy and the libraries of npm**: they would run their collector of garbage on a second core; here it shares the one.
- **Unfair to Holdfast with sidecars**: it is four processes and two hops on one core, beside one process and one hop. In a cluster
  each sidecar stands on its application's node. "Sessions kept" confirms each session in Redis, which nobody else does; Redis's own
  processor time is not in the figures.
- **Only Holdfast keeps the session when its pod is gone**, and only it and HAProxy (and Caddy) stick when Laravel encrypts its
  cookie anew with every answer.

To run it: \`make bench-docs\` as root on Debian 12 (it installs what it needs), with nothing else running. \`make bench\` shows the
same in the terminal only; \`node bench/run.ts --parts latency Envoy Holdfast\` measures a part of it.`;
}

function markdown([head, ...rows]: Table, others = '--:'): string {
  return [head!, ['---', ...head!.slice(1).map(() => others)], ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}
