/**
 * What `holdfast dev` shows: one line for each thing that a person wants to know, and the keys they may press.
 *
 * The lines of pods going up and down are a promise, since scripts read them:
 * `pod-1 up pid 123 port 41001 sessions /path`, `pod-1 down: why`, `open http://127.0.0.1:8080`.
 *
 * Must not know processes or the proxy.
 */

import { createInterface } from 'node:readline';

import type { LogDestination } from '../base/log.ts';

interface LoggedLine {
  readonly level?: string;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Calls back when nobody reads what is said any more: a closed terminal, the end of a `| head`. */
export function onOutputLost(lost: () => void): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', lost);
}

/** The log of all parts, as lines for people: access lines in short, the rest only from `warn` on. */
export function readableLog(): LogDestination {
  return {
    write(text) {
      for (const line of text.split('\n')) if (line !== '') showLine(line);
    },
  };
}

/** PHP's development server tells of each connection; the keeper's own, one a second, would bury the rest. */
export function isConnectionNoise(line: string): boolean {
  return /^(?:\[\d{1,10}\] )?\[[^\]]{1,40}\] \S{1,60} (?:Accepted|Closing|Closed without sending a request;.*)$/.test(
    line,
  );
}

/** Commands from a terminal's lines: `k N` kills, `r N` restarts, `q` ends. Returns how to stop reading. */
export function readCommands(commands: {
  readonly kill: (number: number) => void;
  readonly restart: (number: number) => void;
  readonly quit: () => void;
}): () => void {
  if (!process.stdin.isTTY) return () => undefined;
  say('keys: k N kills a replica, r N brings it back, q ends (each with Enter)');
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const [, verb, digits] = /^\s*([krq])\s*(\d*)\s*$/.exec(line) ?? [];
    if (verb === 'q') commands.quit();
    else if (verb === 'k' && digits !== '') commands.kill(Number(digits));
    else if (verb === 'r' && digits !== '') commands.restart(Number(digits));
    else if (line.trim() !== '') say('k N, r N or q');
  });
  lines.on('close', () => undefined);
  return () => lines.close();
}

function showLine(text: string): void {
  const line = parseLine(text);
  if (line === undefined) return;
  const { level, msg, ...fields } = line;
  if (msg === 'access') {
    const { method, path, status, affinity, pod, tried, ms, reason } = fields;
    const ways = Array.isArray(tried) && tried.length > 1 ? ` (tried ${tried.join(', ')})` : '';
    const why = typeof reason === 'string' ? ` ${reason}` : '';
    say(
      `  ${String(method)} ${String(path)} ${String(status)} ${String(affinity)} ${String(pod)}${ways} ${String(ms)} ms${why}`,
    );
  } else if (level === 'warn' || level === 'error') {
    const details = Object.entries(fields)
      .filter(([name]) => name !== 'time')
      .map(([name, value]) => `${name}=${String(value)}`);
    say(`  ${level}: ${String(msg)} ${details.join(' ')}`.trimEnd());
  }
}

function parseLine(text: string): LoggedLine | undefined {
  try {
    const line: unknown = JSON.parse(text);
    return typeof line === 'object' && line !== null ? (line as LoggedLine) : undefined;
  } catch {
    return undefined;
  }
}
