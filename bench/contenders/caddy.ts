/** Caddy with a cookie of its own that names the upstream. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../../test/support/processes.ts';
import type { Contender } from '../contender.ts';
import { versionOf } from './install.ts';

export const caddy: Contender = {
  name: 'Caddy',
  how: 'lb_policy cookie',
  tls: true,
  workers: true,
  version: () => versionOf(findProgram('caddy'), ['version']),
  async start({ processes, folder, port, backends, tls, workers = 1, pinned }) {
    const file = join(folder, 'Caddyfile');
    await writeFile(
      file,
      `{
  admin off
  auto_https off
  log {
    level ERROR
  }
}
${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port} {
  bind 127.0.0.1
  ${tls === undefined ? '' : `tls ${tls.certificate} ${tls.key}`}
  reverse_proxy ${backends.map((backend) => `${backend.host}:${backend.port}`).join(' ')} {
    lb_policy cookie
    transport http {
      keepalive_idle_conns_per_host 64
    }
  }
}
`,
    );
    // One thread that runs Go, as the others have one; its own helpers may take more, on the same core.
    const env = { GOMAXPROCS: String(workers), HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
    const command = ['caddy', 'run', '--adapter', 'caddyfile', '--config', file] as const;
    return { front: processes.start('caddy', pinned(command), { env }) };
  },
};
