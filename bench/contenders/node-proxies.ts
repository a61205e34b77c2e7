/**
 * The proxies of npm, each as its own documentation uses it, with keep-alive to the backends. Their packages are
 * in node-proxies/, with a lock file of their own, and are installed when they are first measured.
 */

import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeProgram } from '../../test/support/processes.ts';
import type { Contender } from '../contender.ts';
import { run } from './install.ts';

const folder = join(import.meta.dirname, 'node-proxies');

export const nodeProxies: readonly Contender[] = ['http-proxy-3', 'fast-proxy', '@fastify/http-proxy', 'httpxy'].map(
  (library): Contender => ({
    name: library,
    how: 'hash of the cookie, by hand',
    version: () => installed(library),
    start({ processes, port, backends, traffic, pinned }) {
      const program = join(folder, 'server.ts');
      const args = [
        library,
        String(port),
        traffic.cookie,
        ...backends.map(({ host, port }) => `http://${host}:${port}`),
      ];
      return Promise.resolve({ front: processes.start(library, pinned([nodeProgram, program, ...args])) });
    },
  }),
);

/** @returns the library's version. @throws Error where the packages can't be had. */
function installed(library: string): string {
  const lock = join(folder, 'package-lock.json');
  const mark = join(folder, 'node_modules/.installed-lock');
  if (!existsSync(mark) || readFileSync(mark, 'utf8') !== readFileSync(lock, 'utf8')) {
    run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder });
    copyFileSync(lock, mark);
  }
  const manifest = readFileSync(join(folder, 'node_modules', library, 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
