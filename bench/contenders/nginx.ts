/** nginx with a consistent hash of the session cookie: sticky only for cookies whose text does not change. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Contender } from '../contender.ts';

export function nginx(cookie: string): Contender {
  return {
    name: 'nginx',
    how: 'hash $cookie consistent',
    async start({ processes, folder, port, backends, pinned }) {
      const file = join(folder, 'nginx.conf');
      await writeFile(
        file,
        `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/t1; proxy_temp_path ${folder}/t2; fastcgi_temp_path ${folder}/t3;
  uwsgi_temp_path ${folder}/t4; scgi_temp_path ${folder}/t5;
  keepalive_requests 100000000;
  upstream application {
    hash $cookie_${cookie} consistent;
    ${backends.map((backend) => `server 127.0.0.1:${backend.port};`).join(' ')}
    keepalive 64; keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${port};
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
      return processes.start('nginx', pinned(['nginx', '-c', file, '-e', 'stderr']));
    },
  };
}
