/** What a run was made on: figures of two machines are not comparable. */

import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { repositoryRoot } from '../test/support/processes.ts';
import { run } from './contenders/install.ts';
import type { Machine } from './results.ts';

export function describeMachine(): Machine {
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: run('git', ['rev-parse', '--short', 'HEAD'], { cwd: repositoryRoot }).trim(),
    processor: cpus()[0]?.model ?? 'unknown processor',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    system: system ?? 'unknown system',
    node: process.versions.node,
  };
}
