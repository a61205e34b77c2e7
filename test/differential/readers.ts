/**
 * The servers that read what Holdfast forwards: each as its package brings it, with a configuration of its own, and with
 * an application that notes what it saw of every request.
 *
 * Must not know Holdfast, nor what the requests are.
 */

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { underApache, underBuiltInServer, underFpm } from '../frameworks/php-servers.ts';
import { findProgram, nodeProgram, type Processes, requireFile } from '../support/processes.ts';
import type { Fields } from '../support/strict-reader.ts';

const applications = join(import.meta.dirname, 'applications');

export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly fields: Fields;
  readonly body: string;
}

export interface Reader {
  readonly name: string;
  /** 'exact': fields as they came. 'lower': names in lower case. 'cgi': as variables, several of a name made one or lost. */
  readonly tells: 'exact' | 'lower' | 'cgi';
  /** Is a proxy itself: fields for one connection are its own. */
  readonly isProxy?: boolean;
  /** Methods that never reach its application. */
  readonly answersItself?: readonly string[];
  /**
   * Methods in capitals, whatever was sent (RFC 9110 section 9.1 knows no such folding). Where framing hangs on it, for the
   * standard methods, it never comes so far.
   */
  readonly raisesMethods?: boolean;
  /** An empty query and none are told alike. */
  readonly dropsEmptyQuery?: boolean;
  command(place: Place): { readonly command: readonly [string, ...string[]]; readonly env?: Record<string, string> };
}

export interface Place {
  readonly port: number;
  /** Another free port, for what it needs behind it. */
  readonly innerPort: number;
  readonly storage: string;
}

const php = {
  site: applications,
  application: {
    preset: 'php',
    secretNames: [],
    traits: { cookie: 'PHPSESSID', locks: true, regenerateDeletes: false },
  },
  ini: { enable_post_data_reading: '0', post_max_size: '64M' },
} as const;

function python(module: string, words: (port: number) => readonly string[]): Reader['command'] {
  return ({ port }) => {
    for (const name of [module, ...(module === 'uvicorn' ? ['h11', 'httptools'] : [])])
      requireFile(`/usr/lib/python3/dist-packages/${name}/__init__.py`, `python3-${name}`);
    return {
      command: ['/usr/bin/python3', '-m', module, ...words(port)],
      env: { PYTHONPATH: applications, PYTHONDONTWRITEBYTECODE: '1' },
    };
  };
}

export const readers: readonly Reader[] = [
  {
    name: 'node:http',
    tells: 'exact',
    command: ({ port }) => ({ command: [nodeProgram, join(applications, 'node.ts'), String(port)] }),
  },
  { name: 'nginx and php-fpm', tells: 'cgi', command: (place) => underFpm(php).command(place) },
  {
    name: 'Apache and mod_php',
    tells: 'cgi',
    answersItself: ['OPTIONS', 'TRACE'],
    command: (place) => underApache(php).command(place),
  },
  { name: 'php -S', tells: 'cgi', command: (place) => underBuiltInServer(php).command(place) },
  {
    name: 'gunicorn',
    tells: 'cgi',
    raisesMethods: true,
    command: python('gunicorn', (port) => [
      '--bind',
      `127.0.0.1:${port}`,
      '--threads',
      '8',
      '--keep-alive',
      '30',
      'wsgi:application',
    ]),
  },
  ...(['h11', 'httptools'] as const).map((http): Reader => ({
    name: `uvicorn with ${http}`,
    tells: 'lower',
    dropsEmptyQuery: true,
    command: python('uvicorn', (port) => [
      '--port',
      String(port),
      '--http',
      http,
      '--log-level',
      'critical',
      '--no-access-log',
      '--no-proxy-headers',
      '--lifespan',
      'off',
      'asgi:application',
    ]),
  })),
  {
    name: 'HAProxy and node:http',
    tells: 'lower',
    isProxy: true,
    command: (place) => before(place, haproxyProgram(place)),
  },
  {
    name: 'nginx and node:http',
    tells: 'exact',
    isProxy: true,
    command: (place) => before(place, nginxProgram(place)),
  },
];

/** Both end with the shell's process group. */
function before(place: Place, proxy: string): ReturnType<Reader['command']> {
  const behind = `setpriv --pdeathsig KILL -- ${nodeProgram} ${join(applications, 'node.ts')} ${place.innerPort}`;
  return { command: ['/bin/sh', '-c', `${behind} & exec ${proxy}`] };
}

/** HAProxy on one port in front of another; what a shell runs. */
export function haproxyProgram(place: Place): string {
  const file = join(place.storage, 'haproxy.cfg');
  writeFileSync(
    file,
    `
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option http-keep-alive
frontend in
  bind 127.0.0.1:${place.port}
  default_backend out
backend out
  server node 127.0.0.1:${place.innerPort}
`,
  );
  return `${findProgram('haproxy')} -db -f ${file}`;
}

/** nginx on one port in front of another; what a shell runs. */
export function nginxProgram(place: Place): string {
  const run = place.storage;
  const temporary = ['client_body', 'fastcgi', 'proxy', 'scgi', 'uwsgi'].map(
    (name) => `${name}_temp_path ${run}/${name};`,
  );
  writeFileSync(
    join(run, 'nginx.conf'),
    `
user root;
worker_processes 1;
daemon off;
pid ${run}/nginx.pid;
error_log ${run}/nginx.log;
events { worker_connections 512; }
http {
  access_log off;
  ${temporary.join('\n  ')}
  keepalive_requests 100000;
  upstream out {
    server 127.0.0.1:${place.innerPort};
    keepalive 32;
  }
  server {
    listen 127.0.0.1:${place.port};
    client_max_body_size 64m;
    location / {
      proxy_pass http://out;
      proxy_next_upstream off;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
    }
  }
}
`,
  );
  return `${findProgram('nginx')} -p ${run} -e ${run}/nginx.log -c ${run}/nginx.conf`;
}

/** One reader that runs. */
export class RunningReader {
  readonly reader: Reader;
  readonly port: number;
  readonly #file: string;

  /** Starts it. */
  constructor(reader: Reader, place: Place, processes: Processes) {
    this.reader = reader;
    this.port = place.port;
    mkdirSync(join(place.storage, 'sessions'), { recursive: true });
    this.#file = join(place.storage, 'seen.jsonl');
    writeFileSync(this.#file, '');
    // Some read as another user.
    chmodSync(this.#file, 0o666);
    const { command, env } = reader.command(place);
    processes.start(reader.name, command, { env: { SEEN: this.#file, ...env } });
  }

  /** What it has seen so far, in the order in which its requests ended. */
  seen(): readonly Seen[] {
    const lines = readFileSync(this.#file, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => {
      const { method, target, fields, body } = JSON.parse(line) as {
        method: string;
        target: string;
        fields: [string, string][];
        body: string;
      };
      return {
        method: text(method),
        target: text(target),
        fields: fields.map(([name, value]) => [text(name), text(value)] as const),
        body: text(body),
      };
    });
  }
}

function text(hex: string): string {
  return Buffer.from(hex, 'hex').toString('latin1');
}
