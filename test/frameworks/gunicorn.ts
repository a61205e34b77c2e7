/**
 * How the Python examples are started.
 */

import { join } from 'node:path';
import type { Replica } from '../support/applications.ts';
import { requireFile } from '../support/processes.ts';

/** @throws Error naming the Debian package where gunicorn is not installed. */
export function gunicorn(
  folder: string,
  application: string,
  { port, storage }: Replica,
  env: Readonly<Record<string, string>> = {},
): { readonly command: readonly [string, ...string[]]; readonly env: Record<string, string> } {
  requireFile('/usr/bin/gunicorn', 'gunicorn');
  const listen = ['--bind', `127.0.0.1:${port}`, '--threads', '8', '--keep-alive', '30'];
  return {
    // Without compiled files beside the sources: pods of one machine share them.
    command: ['/usr/bin/gunicorn', '--chdir', folder, ...listen, application],
    env: { PORT: String(port), SESSIONS: join(storage, 'sessions'), PYTHONDONTWRITEBYTECODE: '1', ...env },
  };
}
