/**
 * The loop of a fuzzer: inputs that take new ways through the sources are kept and changed further, the newest most often.
 * The same seed gives the same inputs. What an input must never do, the target says by throwing.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../support/processes.ts';
import { below, type Chance, seeded } from '../support/seeded.ts';
import { counted, features } from './coverage.ts';
import { inputBytesMax, mutated } from './mutate.ts';

export interface Target {
  readonly name: string;
  /** Where it begins: what is legal, and what was found before. */
  readonly seeds: readonly (Buffer | string)[];
  /** Words of its language, latin1. */
  readonly words: readonly string[];
  /** An input by the language's grammar. */
  readonly generate?: (chance: Chance) => string;
  /** Turns of all loops together, for each byte of an input and for the input itself; the usual: 400. */
  readonly turnsPerByte?: number;
  /** @throws Error where a promise is broken */
  run(input: Buffer): void;
}

export interface Bounds {
  readonly seed: number;
  /** CPU time of this process. */
  readonly cpuMs?: number;
  readonly runs?: number;
}

export interface Finding {
  readonly input: Buffer;
  readonly error: Error;
}

export interface Fuzzed {
  readonly runs: number;
  /** Ways through the sources: branches, with the magnitude of their counts. */
  readonly ways: number;
  readonly branches: number;
  readonly kept: number;
  /** CPU time of the slowest input. */
  readonly slowestMs: number;
  readonly findings: readonly Finding[];
}

const poolMax = 8192;
const findingsMax = 8;
/** CPU time of one input, which a regular expression could need beyond any count of turns. */
const inputCpuMsMax = 2000;

/** Fuzzes one target within its bounds. */
export function fuzz(target: Target, { seed, cpuMs = Infinity, runs: runsMax = Infinity }: Bounds): Fuzzed {
  const chance = seeded(seed);
  const words = target.words.map((word) => Buffer.from(word, 'latin1'));
  const pool: Buffer[] = [];
  const ways = new Set<number>();
  const findings = new Map<string, Finding>();
  const startMs = cpuMsNow();
  const seeds = target.seeds.map((text) => (typeof text === 'string' ? Buffer.from(text, 'latin1') : text));
  let runs = 0;
  let slowestMs = 0;
  for (; runs < runsMax && findings.size < findingsMax; runs++) {
    if (runs % 64 === 0 && cpuMsNow() - startMs >= cpuMs) break;
    const input = seeds[runs] ?? next(target, { pool, words }, chance);
    const before = performance.now();
    const error = tryInput(target, input);
    if (error !== undefined) {
      const kind = kindOf(error);
      if (!findings.has(kind)) findings.set(kind, { input: minimal(target, input, kind), error });
      continue;
    }
    slowestMs = Math.max(slowestMs, performance.now() - before);
    const known = ways.size;
    for (const way of features()) ways.add(way);
    if (ways.size === known && runs >= seeds.length) continue;
    if (pool.length === poolMax) pool.splice(below(chance, poolMax), 1);
    pool.push(Buffer.from(input));
  }
  const branches = new Set([...ways].map((way) => way >> 3)).size;
  return { runs, ways: ways.size, branches, kept: pool.length, slowestMs, findings: [...findings.values()] };
}

function next(target: Target, material: { pool: readonly Buffer[]; words: readonly Buffer[] }, chance: Chance): Buffer {
  const { pool } = material;
  if (target.generate !== undefined && chance() < 0.25) {
    const made = Buffer.from(target.generate(chance), 'latin1').subarray(0, inputBytesMax);
    return chance() < 0.5 ? made : mutated(made, material, chance);
  }
  // Half of the time one of the latest.
  const index =
    chance() < 0.5 ? pool.length - 1 - below(chance, Math.min(pool.length, 32)) : below(chance, pool.length);
  return mutated(pool[index] ?? Buffer.alloc(0), material, chance);
}

/** Runs one input. @returns what it broke */
export function tryInput(target: Target, input: Buffer): Error | undefined {
  const before = performance.now();
  try {
    counted((target.turnsPerByte ?? 400) * (input.length + 64), () => target.run(input));
  } catch (error) {
    return error instanceof Error ? error : new Error(`threw ${String(error)}`);
  }
  // Only what took long is worth another look, by the CPU's clock: the machine may be busy.
  if (performance.now() - before < inputCpuMsMax) return undefined;
  const from = cpuMsNow();
  target.run(input);
  return cpuMsNow() - from > inputCpuMsMax ? new Error(`takes more than ${inputCpuMsMax} ms`) : undefined;
}

function cpuMsNow(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Where it was thrown and why, without what differs from input to input. */
function kindOf(error: Error): string {
  const place = /\n\s+at [^\n]*/.exec(error.stack ?? '')?.[0] ?? '';
  return `${error.name} ${error.message.split('\n', 1)[0]!.replace(/\d+|"[^"]*"/g, '#')}${place}`;
}

/** The shortest input that breaks the same, by leaving out ever smaller pieces. */
function minimal(target: Target, input: Buffer, kind: string): Buffer {
  let shortest = input;
  for (let size = input.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at + size <= shortest.length;) {
      const shorter = Buffer.concat([shortest.subarray(0, at), shortest.subarray(at + size)]);
      const error = tryInput(target, shorter);
      if (error !== undefined && kindOf(error) === kind) shortest = shorter;
      else at += size;
    }
  }
  return shortest;
}

/** Keeps a finding as a file. @returns how to see it again */
export function kept(target: Target, { input, error }: Finding): string {
  const folder = join(repositoryRoot, 'tmp/fuzz');
  mkdirSync(folder, { recursive: true });
  const name = `${target.name}-${createHash('sha256').update(input).digest('hex').slice(0, 12)}`;
  writeFileSync(join(folder, name), input);
  return [
    `${target.name}: ${error.stack ?? error.message}`,
    `input: ${JSON.stringify(input.toString('latin1'))}`,
    `again: make fuzz TARGET=${target.name} INPUT=tmp/fuzz/${name}`,
  ].join('\n');
}
