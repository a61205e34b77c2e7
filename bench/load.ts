/**
 * The visitors: they get their cookies by real first requests, prove that the proxy answers what the backend said
 * and sticks to it, and then come back through wrk.
 */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Browser } from '../test/support/cookie-jar.ts';
import { findProgram } from '../test/support/processes.ts';
import type { Processes } from '../test/support/processes.ts';
import type { Command, Visitor } from './contender.ts';
import { visitorCookie } from './traffic.ts';

const visitors = 100;
const visitsOfEach = 6;

/**
 * Makes the visitors at a proxy and holds it to its promises.
 * @param expected.numbered each visitor brings its number, so that no two get one session.
 * @throws Error saying what was wrong: another status or body than the backend's, or a visitor at two backends.
 */
export async function meetVisitors(
  origin: string,
  expected: { readonly body: string; readonly numbered: boolean },
): Promise<readonly Visitor[]> {
  const met: Visitor[] = [];
  const backends = new Set<string>();
  for (let visitor = 0; visitor < visitors; visitor++) {
    const browser = new Browser(origin);
    if (expected.numbered) browser.jar.store([visitorCookie(visitor)], '/');
    try {
      const own = new Set<string>();
      for (let visit = 0; visit < visitsOfEach; visit++) {
        const answer = await browser.get('/orders/1');
        if (answer.status !== 200) throw new Error(`answered ${answer.status}: ${answer.text.slice(0, 200)}`);
        if (answer.text !== expected.body) throw new Error("the body is not the backend's");
        // A hash of the session cookie can't know where the request without one went.
        if (visit > 0) own.add(String(answer.headers['x-backend']));
      }
      if (own.size !== 1) throw new Error(`a visitor was sent to ${[...own].join(', ')}: it does not stick`);
      const [backend] = [...own] as [string];
      backends.add(backend);
      met.push({ cookie: browser.jar.header('/orders/1') ?? '', backend });
    } finally {
      await browser.close();
    }
  }
  if (backends.size < 2) throw new Error('all visitors are on one backend: nothing is balanced');
  return met;
}

export interface LoadResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface LoadOptions {
  readonly processes: Processes;
  readonly folder: string;
  readonly cookies: readonly string[];
  readonly seconds: number;
  readonly pinned: (command: Command) => Command;
  readonly connections?: number;
  /** What is asked for; /orders/1 by default. */
  readonly path?: string;
  /** Whether each request has a connection of its own. */
  readonly close?: boolean;
}

/**
 * One round of wrk: keep-alive connections (64 by default), each request the next visitor's.
 * @throws Error where any request failed.
 */
export async function load(origin: string, options: LoadOptions): Promise<LoadResult> {
  const file = join(options.folder, 'visitors.txt');
  await writeFile(file, options.cookies.map((cookie) => `${cookie}\n`).join(''));
  const script = join(import.meta.dirname, 'visitors.lua');
  const shape = ['-t1', `-c${options.connections ?? 64}`, `-d${options.seconds}s`, '--timeout', '5s'];
  const args = [
    ...shape,
    '-s',
    script,
    origin,
    '--',
    file,
    options.path ?? '/orders/1',
    options.close === true ? 'close' : '',
  ];
  const wrk = options.processes.start('wrk', options.pinned([findProgram('wrk'), ...args]));
  await wrk.ended;
  const result = wrk.logLines[0];
  if (result === undefined) throw new Error(`wrk reported nothing:\n${wrk.output}`);
  const number = (name: string) => Number(result[name]);
  if (number('failures') > 0 || number('requests') === 0) throw new Error(`wrk saw failures:\n${wrk.output}`);
  return {
    requests: number('requests'),
    requestsPerSecond: (number('requests') / number('durationUs')) * 1e6,
    p50Us: number('p50Us'),
    p99Us: number('p99Us'),
  };
}
