/** What the contenders need that Debian does not bring, in the user's cache; and how programs say their version. */

import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'holdfast-bench');
const installTimeoutMs = 180_000;

/**
 * A Python package in an environment of its own, as pip installs it.
 * @returns what `find`, a line of Python, prints there.
 * @throws Error where Python or the package can't be had.
 */
export function pythonPackage(name: string, version: string, find: string): string {
  const venv = join(cache, `${name}-${version}`);
  const python = join(venv, 'bin/python');
  const done = join(venv, 'installed');
  if (!existsSync(done)) {
    run('python3', ['-m', 'venv', '--clear', venv]);
    run(python, ['-m', 'pip', 'install', '--quiet', `${name}==${version}`]);
    writeFileSync(done, '');
  }
  return run(python, ['-c', find]).trim();
}

/** Runs a program to its end. @returns its standard output. @throws Error with the last line of what it said. */
export function run(program: string, args: readonly string[], options: { readonly cwd?: string } = {}): string {
  try {
    return execFileSync(program, args, { ...options, stdio: 'pipe', timeout: installTimeoutMs, encoding: 'utf8' });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1);
    throw new Error(`${program} ${args[0] ?? ''}: ${said ?? (error as Error).message}`, { cause: error });
  }
}

/** The first match of a version number in what a program prints, on either output. @throws Error where it has none. */
export function versionOf(program: string, args: readonly string[]): string {
  // nginx says its version on standard error, the others on standard output.
  const said = run('/bin/sh', ['-c', '"$0" "$@" 2>&1', program, ...args]);
  const version = /\d+\.\d+(\.\d+)?/.exec(said)?.[0];
  if (version === undefined) throw new Error(`${program} does not say its version`);
  return version;
}
