/**
 * HAProxy and nginx as what they often are: a load balancer that passes TCP on and says who the client is.
 *
 * Must not know Holdfast.
 */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { connect } from 'node:net';
import { Processes, findProgram } from './processes.ts';
import { until } from './until.ts';

const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so';

/** One way in: connections to `port` go on to `target`, with what the program's own words say. */
export interface Passage {
  readonly port: number;
  readonly target: number;
  /** HAProxy: behind `server`, such as `send-proxy-v2`; nginx: a directive. */
  readonly words: string;
  /** HAProxy: PEM file with certificate and key; it then ends TLS here. */
  readonly pemFile?: string;
}

/** Ends with the test. */
export async function startHaproxy(t: TestContext, passages: readonly Passage[]): Promise<void> {
  const parts = passages.map(({ port, target, words, pemFile }) => {
    const tls = pemFile === undefined ? '' : ` ssl crt ${pemFile}`;
    return `listen p${port}\n  bind 127.0.0.1:${port}${tls}\n  server s 127.0.0.1:${target} ${words}\n`;
  });
  const timeouts = 'defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n';
  const file = write(t, 'haproxy.cfg', `${timeouts}${parts.join('')}`);
  await start(t, ['haproxy', '-db', '-f', file], passages);
}

/** @throws Error naming the Debian package where the module is missing. */
export async function startNginxStream(t: TestContext, passages: readonly Passage[]): Promise<void> {
  findProgram('nginx');
  if (!existsSync(streamModule)) throw new Error('nginx has no stream module: apt-get install libnginx-mod-stream');
  const servers = passages.map(
    ({ port, target, words }) => `server { listen 127.0.0.1:${port}; proxy_pass 127.0.0.1:${target}; ${words}; }`,
  );
  const file = write(t, 'nginx.conf', '');
  const folder = join(file, '..');
  writeFileSync(
    file,
    `load_module ${streamModule};\ndaemon off;\npid ${folder}/pid;\nworker_processes 1;\nerror_log stderr;\n` +
      `events { worker_connections 64; }\nstream { ${servers.join(' ')} }\n`,
  );
  await start(t, ['nginx', '-p', folder, '-e', 'stderr', '-c', file], passages);
}

function write(t: TestContext, name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-balancer-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

async function start(
  t: TestContext,
  command: readonly [string, ...string[]],
  passages: readonly Passage[],
): Promise<void> {
  const processes = new Processes();
  t.after(() => processes.close());
  const running = processes.start(command[0], command);
  for (const { port } of passages) {
    await until(`${command[0]} listens on ${port}; it said: ${running.output}`, () => accepts(port));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
