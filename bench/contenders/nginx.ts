/** nginx with a consistent hash of the session cookie: sticky only for cookies whose text does not change. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../../test/support/processes.ts';
import type { Contender } from '../contender.ts';
import { versionOf } from './install.ts';

export const nginx: Contender = {
  name: 'nginx',
  how: 'hash $cookie consistent',
  tls: true,
  workers: true,
  version: () => versionOf(findProgram('nginx'), ['-v']),
  async start({ processes, folder, port, backends, traffic, tls, workers = 1, pinned }) {
    const file = join(folder, 'nginx.conf');
    const secure =
      tls === undefined
        ? ''
        : `ssl_certificate ${tls.certificate}; ssl_certificate_key ${tls.key}; ssl_session_cache shared:all:1m;`;
    await writeFile(
      file,
      `daemon off; ${workers === 1 ? 'master_process off;' : `worker_processes ${workers};`}
pid ${folder}/nginx.pid; error_log stderr warn; worker_rlimit_nofile 20000;
events { worker_connections 16000; }
http {
  access_log off;
  client_body_temp_path ${folder}/t1; proxy_temp_path ${folder}/t2; fastcgi_temp_path ${folder}/t3;
  uwsgi_temp_path ${folder}/t4; scgi_temp_path ${folder}/t5;
  keepalive_requests 100000000; proxy_max_temp_file_size 0;
  upstream application {
    hash $cookie_${traffic.cookie} consistent;
    ${backends.map((backend) => `server ${backend.host}:${backend.port};`).join(' ')}
    keepalive 64; keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${port}${tls === undefined ? '' : ' ssl'}${workers > 1 ? ' reuseport' : ''};
    ${secure}
    location / {
      proxy_pass http://application;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`,
    );
    return { front: processes.start('nginx', pinned(['nginx', '-c', file, '-e', 'stderr'])) };
  },
};
