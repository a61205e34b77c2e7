/**
 * The proxies that stand in front of Holdfast elsewhere, as an operator would set them up there: each is a pod with a
 * Service, and passes everything on to the gateway's Service.
 *
 * Must not know the session checker, or what tests look at.
 */

import { plainPod } from './cluster.ts';
import type { KubernetesObject } from './cluster.ts';

/** By HTTP; `haproxy-tcp` passes TCP on and says by the PROXY protocol who the client is. */
export type EdgeName = 'nginx' | 'haproxy' | 'haproxy-tcp' | 'envoy';

interface Edge {
  readonly command: readonly string[];
  readonly file: string;
  readonly text: string;
}

export interface EdgeTargets {
  /** `host:port` of the gateway's Service. */
  readonly http: string;
  /** `host:port` where it expects a PROXY header first. */
  readonly proxied: string;
}

const port = 8080;

export function edgeObjects(image: string, targets: EdgeTargets): readonly KubernetesObject[] {
  return Object.entries(edges(targets)).flatMap(([name, edge]) => edgePod(name, { image, edge }));
}

function edgePod(
  name: string,
  { image, edge }: { readonly image: string; readonly edge: Edge },
): readonly KubernetesObject[] {
  const pod = plainPod(name, {
    image,
    command: edge.command,
    ports: [{ containerPort: port }],
    readinessProbe: { tcpSocket: { port }, periodSeconds: 1, timeoutSeconds: 5 },
    volumeMounts: [{ name: 'configuration', mountPath: '/etc/edge' }],
  });
  const spec = { ...(pod['spec'] as object), volumes: [{ name: 'configuration', configMap: { name } }] };
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { [edge.file]: edge.text } },
    { ...pod, spec },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { selector: { app: name }, ports: [{ port: 80, targetPort: port }] },
    },
  ];
}

function edges(targets: EdgeTargets): Readonly<Record<EdgeName, Edge>> {
  return {
    nginx: {
      command: ['nginx', '-e', 'stderr', '-c', '/etc/edge/nginx.conf'],
      file: 'nginx.conf',
      text: nginx(targets.http),
    },
    haproxy: {
      command: ['haproxy', '-db', '-f', '/etc/edge/haproxy.cfg'],
      file: 'haproxy.cfg',
      text: haproxy('http', targets.http),
    },
    'haproxy-tcp': {
      command: ['haproxy', '-db', '-f', '/etc/edge/haproxy.cfg'],
      file: 'haproxy.cfg',
      text: haproxy('tcp', targets.proxied),
    },
    envoy: {
      command: [
        'envoy',
        '-c',
        '/etc/edge/envoy.json',
        '--disable-hot-restart',
        '--concurrency',
        '1',
        '--log-level',
        'warn',
      ],
      file: 'envoy.json',
      text: JSON.stringify(envoy(targets.http)),
    },
  };
}

/** HTTP/1.0 to the upstream, a connection for each request: nginx's default. */
function nginx(target: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path /tmp/${name};`,
  );
  return `daemon off; pid /tmp/nginx.pid; worker_processes 1; error_log stderr;
events { worker_connections 256; }
http {
  access_log off; ${temporary.join(' ')}
  server {
    listen ${port};
    location / {
      proxy_pass http://${target};
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}
`;
}

/** Connections to the gateway are kept and shared; one that it has closed meanwhile costs no request. */
function haproxy(mode: 'http' | 'tcp', target: string): string {
  const words = mode === 'tcp' ? 'send-proxy-v2' : '';
  return `defaults
  mode ${mode}
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  ${mode === 'http' ? 'option forwardfor\n  retry-on conn-failure empty-response\n  http-reuse safe' : ''}
listen edge
  bind :${port}
  server gateway ${target} ${words}
`;
}

function envoy(target: string): unknown {
  const [host, targetPort] = target.split(':');
  const address = (name: string, value: number) => ({ socket_address: { address: name, port_value: value } });
  const routes = [
    {
      match: { prefix: '/' },
      route: { cluster: 'gateway', retry_policy: { retry_on: 'reset-before-request,connect-failure', num_retries: 3 } },
    },
  ];
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'client',
    use_remote_address: true,
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
  };
  const filters = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }];
  const endpoint = { endpoint: { address: address(host!, Number(targetPort)) } };
  return {
    static_resources: {
      listeners: [{ name: 'client', address: address('0.0.0.0', port), filter_chains: [{ filters }] }],
      clusters: [
        {
          name: 'gateway',
          type: 'STRICT_DNS',
          connect_timeout: '2s',
          load_assignment: { cluster_name: 'gateway', endpoints: [{ lb_endpoints: [endpoint] }] },
        },
      ],
    },
  };
}
