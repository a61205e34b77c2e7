/** HAProxy with a cookie of its own that names the server: the base of all ratios. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../../test/support/processes.ts';
import type { Contender } from '../contender.ts';
import { versionOf } from './install.ts';

export const haproxy: Contender = {
  name: 'HAProxy',
  how: 'cookie SRV insert indirect',
  tls: true,
  workers: true,
  version: () => versionOf(findProgram('haproxy'), ['-v']),
  cookieFor: () => (session, backend) => `PHPSESSID=${session}; SRV=${backend}`,
  async start({ processes, folder, port, backends, tls, workers = 1, pinned }) {
    const file = join(folder, 'haproxy.cfg');
    const servers = backends.map(
      ({ name, host, port }) => `  server ${name} ${host}:${port} cookie ${name} check inter 2s`,
    );
    await writeFile(
      file,
      `global
  nbthread ${workers}
defaults
  mode http
  timeout connect 1s
  timeout client 75s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend client
  bind 127.0.0.1:${port}${tls === undefined ? '' : ` ssl crt ${tls.both}`}
  default_backend application
backend application
  balance leastconn
  cookie SRV insert indirect nocache
${servers.join('\n')}
`,
    );
    return { front: processes.start('haproxy', pinned(['haproxy', '-db', '-f', file])) };
  },
};
