/**
 * The process of a contender from npm: LIBRARY PORT COOKIE BACKEND-URL...
 *
 * The packages are installed only where they are measured, so each is imported by its name at run time, and here
 * stands what is used of it.
 */

import { Agent, createServer, ServerResponse } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';

type Handler = (request: IncomingMessage, response: ServerResponse, target: string) => void;

interface HttpProxy {
  on?(event: 'error', listener: (error: Error, request: unknown, response: unknown) => void): unknown;
  web(request: IncomingMessage, response: ServerResponse, options: { target: string }): unknown;
}
type CreateProxyServer = (options: { agent: Agent; xfwd: boolean }) => HttpProxy;
type FastProxy = (options: object) => {
  proxy(request: IncomingMessage, response: ServerResponse, source: string, options: { base: string }): void;
};
type Fastify = (options: object) => {
  register(plugin: unknown, options: object): unknown;
  listen(options: { host: string; port: number }): Promise<unknown>;
};

const [library, port, cookie, ...targets] = process.argv.slice(2);
const connectionsMax = 256;
const sessionOf = new RegExp(`(?:^|; )${cookie!}=([^;]*)`);

switch (library) {
  case 'http-proxy-3':
  case 'httpxy':
    await listen(httpProxy((await load(library)) as { createProxyServer: CreateProxyServer }));
    break;
  case 'fast-proxy': {
    const { default: create } = (await load(library)) as { default: FastProxy };
    // With its faster client, whose pool knows one backend only.
    const pools = new Map(targets.map((base) => [base, create({ base, undici: { connections: connectionsMax } })]));
    await listen((request, response, base) => pools.get(base)!.proxy(request, response, request.url!, { base }));
    break;
  }
  case '@fastify/http-proxy': {
    const { default: fastify } = (await load('fastify')) as { default: Fastify };
    const { default: plugin } = (await load(library)) as { default: unknown };
    const server = fastify({ logger: false });
    await server.register(plugin, {
      upstream: '',
      undici: { connections: connectionsMax },
      replyOptions: { getUpstream: (request: { raw: IncomingMessage }) => targetOf(request.raw) },
    });
    await server.listen({ host: '127.0.0.1', port: Number(port) });
    break;
  }
  default:
    throw new Error(`no such library: ${String(library)}`);
}

/** http-proxy-3 and httpxy come from one ancestor and are used alike. */
function httpProxy({ createProxyServer }: { createProxyServer: CreateProxyServer }): Handler {
  const proxy = createProxyServer({ agent: new Agent({ keepAlive: true, maxSockets: connectionsMax }), xfwd: true });
  proxy.on?.('error', (_error, _request, response) => {
    if (response instanceof ServerResponse) response.writeHead(502).end();
  });
  return (request, response, target) => void proxy.web(request, response, { target });
}

async function listen(handle: Handler): Promise<void> {
  const listener: RequestListener = (request, response) => handle(request, response, targetOf(request));
  await new Promise<void>((resolve) => createServer(listener).listen(Number(port), '127.0.0.1', resolve));
}

function targetOf(request: IncomingMessage): string {
  const session = sessionOf.exec(request.headers.cookie ?? '')?.[1] ?? String(Math.random());
  return targets[hash(session) % targets.length]!;
}

function load(name: string): Promise<unknown> {
  return import(name) as Promise<unknown>;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
}
