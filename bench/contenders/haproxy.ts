/** HAProxy with a cookie of its own that names the server: the base of all ratios. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Contender } from '../contender.ts';

export const haproxy: Contender = {
  name: 'HAProxy',
  how: 'cookie SRV insert indirect',
  async start({ processes, folder, port, backends, pinned }) {
    const file = join(folder, 'haproxy.cfg');
    const servers = backends.map(
      ({ name, port }) => `  server ${name} 127.0.0.1:${port} cookie ${name} check inter 2s`,
    );
    await writeFile(
      file,
      `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 1s
  timeout client 75s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend client
  bind 127.0.0.1:${port}
  default_backend application
backend application
  balance leastconn
  cookie SRV insert indirect nocache
${servers.join('\n')}
`,
    );
    return processes.start('haproxy', pinned(['haproxy', '-db', '-f', file]));
  },
};
