/** The Holdfast gateway in front of bare applications: affinity by a signed pin cookie, no sidecars, no store. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeProgram, repositoryRoot } from '../../test/support/processes.ts';
import type { Contender } from '../contender.ts';

export function holdfast(session: { readonly preset: string; readonly keys: readonly string[] }): Contender {
  return {
    name: 'Holdfast',
    how: 'signed pin cookie',
    async start({ processes, folder, port, adminPort, backends, pinned }) {
      const file = join(folder, 'holdfast.json');
      const configuration = {
        role: 'gateway',
        listen: `127.0.0.1:${port}`,
        admin: `127.0.0.1:${adminPort}`,
        session,
        store: { url: 'memory:' },
        log: { access: false },
        pods: { static: backends.map((backend) => `${backend.name}=127.0.0.1:${backend.port}`) },
        affinity: { pinKey: 'a key for measurements only, open to all' },
      };
      await writeFile(file, JSON.stringify(configuration, undefined, 2));
      const cli = join(repositoryRoot, 'src/cli.ts');
      return processes.start('holdfast', pinned([nodeProgram, cli, 'run', '--config', file]));
    },
  };
}
