/**
 * Holdfast beside the other proxies: `make bench`, or `node bench/run.ts [--parts A,B] [--results FILE] [NAME...]` for
 * some parts of it and some of the contenders (HAProxy always takes part: all ratios are over it). With names and no
 * parts it is the processor time. ROUNDS, SECONDS and QUICK=1 say how long. Loopback only; figures of one run are
 * comparable with each other and with nothing else.
 */

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { caddy } from './contenders/caddy.ts';
import { envoy } from './contenders/envoy.ts';
import { haproxy } from './contenders/haproxy.ts';
import { holdfast, holdfastChain, holdfastKept } from './contenders/holdfast.ts';
import { nginx } from './contenders/nginx.ts';
import { nodeProxies } from './contenders/node-proxies.ts';
import type { Contender } from './contender.ts';
import { describeMachine } from './machine.ts';
import { freshParts, measure, partNames } from './parts.ts';
import type { Measured, PartName } from './parts.ts';
import { formatResults } from './report.ts';
import { writeResults } from './results.ts';
import type { Participant, Results } from './results.ts';
import { quick, rounds, seconds } from './settings.ts';
import { Stage, nameUnder } from './stage.ts';
import type { Running } from './stage.ts';
import { traffics } from './traffic.ts';
import type { Traffic } from './traffic.ts';

const plain = traffics.plain();
const laravel = traffics.laravel();

/** Who takes part, and under which traffic. */
const field: readonly { readonly contender: Contender; readonly traffic: Traffic }[] = [
  ...[haproxy, nginx, envoy, caddy, ...nodeProxies].map((contender) => ({ contender, traffic: plain })),
  ...[holdfast, holdfastChain, holdfastKept].map((contender) => ({ contender, traffic: plain })),
  ...[haproxy, holdfast].map((contender) => ({ contender, traffic: laravel })),
];

const { values: flags, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { parts: { type: 'string' }, results: { type: 'string' } },
});
const began = performance.now();
const stage = await Stage.open();
try {
  const results = await bench();
  console.log(`\n${formatResults(results)}`);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  await stage.close();
}

async function bench(): Promise<Results> {
  const parts = wantedParts();
  const { taking, contenders, absent } = gather();
  const running: Running[] = [];
  for (const { contender, traffic } of taking) {
    if (parts.every((part) => freshParts.includes(part))) break;
    running.push(await stage.introduce(contender, traffic));
    say(`${running.at(-1)!.name}: answers correctly and sticks (${contender.how})`);
  }
  const resultsWith = (measured: Measured): Results => {
    const minutes = Math.round((performance.now() - began) / 6_000) / 10;
    return {
      machine: describeMachine(),
      settings: { rounds, seconds, minutes, quick },
      contenders,
      absent,
      ...measured,
    };
  };
  const keep = async (measured: Measured) => {
    if (flags.results !== undefined) await writeFile(flags.results, writeResults(resultsWith(measured)));
  };
  return resultsWith(await measure(parts, { stage, rounds, seconds, field: taking, running, say, keep }));
}

/** All, or where only some contenders are looked at the processor time. @throws Error naming a part that there isn't. */
function wantedParts(): readonly PartName[] {
  if (flags.parts === undefined) return names.length === 0 ? partNames : ['processor-time'];
  return flags.parts.split(',').map((given) => {
    const part = partNames.find((name) => name === given);
    if (part === undefined) throw new Error(`there is no part ${given}, but ${partNames.join(', ')}`);
    return part;
  });
}

/** Installs what is needed, and says who can take part. */
function gather() {
  const taking: (typeof field)[number][] = [];
  const contenders: Participant[] = [];
  const absent: { name: string; why: string }[] = [];
  for (const entry of field) {
    const { contender, traffic } = entry;
    const name = nameUnder(contender, traffic);
    if (!(name === 'HAProxy' || names.length === 0 || names.includes(name))) continue;
    try {
      contenders.push({ name, how: contender.how, version: contender.version() });
      taking.push(entry);
    } catch (error) {
      if (contender === haproxy) throw error;
      absent.push({ name, why: (error as Error).message });
      say(`${name} does not take part: ${(error as Error).message}`);
    }
  }
  return { taking, contenders, absent };
}

function say(line: string): void {
  process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);
}
