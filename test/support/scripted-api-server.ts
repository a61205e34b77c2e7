/**
 * An API server for what a real one does not do on demand: it keeps the EndpointSlices that a test puts there, lists and
 * watches them as documented, and fails as the test says.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freePort } from './free-port.ts';

export interface GivenEndpoint {
  readonly name?: string;
  readonly uid?: string;
  readonly address: string;
  readonly conditions?: Readonly<Record<string, boolean>>;
  readonly zone?: string;
}

export interface GivenSlice {
  readonly name: string;
  readonly endpoints: readonly GivenEndpoint[];
  readonly addressType?: string;
  readonly ports?: readonly { readonly name?: string; readonly port: number }[];
}

export interface SeenQuestion {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly isWatch: boolean;
  readonly token: string | undefined;
}

export interface WrongAnswer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An EndpointSlice as the API has it. */
export function sliceObject({ name, endpoints, addressType = 'IPv4', ports }: GivenSlice, version: string): object {
  return {
    metadata: { name, namespace: 'shop', resourceVersion: version, labels: { 'kubernetes.io/service-name': 'app' } },
    addressType,
    ports: (ports ?? [{ name: 'http', port: 8080 }]).map((port) => ({ protocol: 'TCP', ...port })),
    endpoints: endpoints.map(({ name: pod, uid, address, conditions, zone }) => ({
      addresses: [address],
      conditions: conditions ?? { ready: true, serving: true, terminating: false },
      ...(pod === undefined ? {} : { targetRef: { kind: 'Pod', name: pod, uid: uid ?? `${pod}-uid` } }),
      ...(zone === undefined ? {} : { zone }),
    })),
  };
}

export function statusObject(code: number, message: string): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, message };
}

export class ScriptedApiServer {
  readonly questions: SeenQuestion[] = [];
  /** Where KUBECONFIG points. */
  readonly kubeconfig: string;
  /** What is answered instead; undefined: as usual. */
  wrong: ((question: SeenQuestion) => WrongAnswer | undefined) | undefined;
  /** Watches are taken and nothing is ever sent. */
  isMute = false;
  /** Slices in one page of a list. */
  pageItems = Infinity;
  #version = 1000;
  /** Watches from before this version are too old. */
  #oldest = 0;
  readonly #slices = new Map<string, object>();
  #events: { readonly version: number; readonly line: string }[] = [];
  readonly #watches = new Set<ServerResponse>();
  #server: Server;
  readonly #port: number;

  private constructor(server: Server, kubeconfig: string) {
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    this.kubeconfig = kubeconfig;
    server.on('request', (request, response) => this.#answer(request, response));
  }

  static async start(t: TestContext): Promise<ScriptedApiServer> {
    const server = createServer();
    // One that no outgoing connection takes while it is stopped.
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-api-'));
    const api = new ScriptedApiServer(server, join(folder, 'kubeconfig'));
    const config = {
      'current-context': 'test',
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'shop' } }],
      clusters: [{ name: 'test', cluster: { server: `http://127.0.0.1:${api.#port}` } }],
      users: [{ name: 'test', user: { tokenFile: 'token' } }],
    };
    await writeFile(api.kubeconfig, JSON.stringify(config));
    await api.useToken('first');
    t.after(async () => {
      api.stop();
      await rm(folder, { recursive: true, force: true });
    });
    return api;
  }

  /** As the kubelet does when the old one is about to expire. */
  useToken(token: string): Promise<void> {
    return writeFile(join(this.kubeconfig, '../token'), `${token}\n`);
  }

  put(slice: GivenSlice): void {
    const isNew = !this.#slices.has(slice.name);
    const object = sliceObject(slice, String(++this.#version));
    this.#slices.set(slice.name, object);
    this.#tell(isNew ? 'ADDED' : 'MODIFIED', object);
  }

  remove(name: string): void {
    const object = this.#slices.get(name) as { metadata: object } | undefined;
    this.#slices.delete(name);
    if (object === undefined) return;
    const metadata = { ...object.metadata, resourceVersion: String(++this.#version) };
    this.#tell('DELETED', { ...object, metadata });
  }

  /** All watches get this text, whatever it is. */
  say(text: string): void {
    for (const watch of this.#watches) watch.write(text);
  }

  bookmark(): void {
    this.say(this.#line('BOOKMARK', { metadata: { resourceVersion: String(++this.#version) } }));
  }

  /** Everything before now is too old to watch from. */
  compact(): void {
    this.#oldest = ++this.#version;
    this.#events = [];
  }

  get watches(): number {
    return this.#watches.size;
  }

  /** Watches end, as after timeoutSeconds; or break off. */
  endWatches(how: 'in-order' | 'broken'): void {
    for (const watch of this.#watches) {
      if (how === 'in-order') watch.end();
      else watch.socket?.resetAndDestroy();
    }
    this.#watches.clear();
  }

  /** No longer listens; connections are reset. */
  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    this.#watches.clear();
  }

  /** At the same port, with what it knew. */
  async restart(): Promise<void> {
    this.#server = createServer((request, response) => this.#answer(request, response));
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://api');
    const isWatch = url.searchParams.get('watch') === '1';
    const token = request.headers.authorization?.replace('Bearer ', '');
    const question = { path: url.pathname, query: url.searchParams, isWatch, token };
    this.questions.push(question);
    const wrong = this.wrong?.(question);
    if (wrong !== undefined) {
      response.writeHead(wrong.status, { 'content-type': wrong.type ?? 'application/json', ...wrong.headers });
      response.end(wrong.body);
    } else if (isWatch) {
      this.#watch(Number(url.searchParams.get('resourceVersion')), response);
    } else {
      this.#list(Number(url.searchParams.get('continue') ?? '0'), response);
    }
  }

  #list(from: number, response: ServerResponse): void {
    const all = [...this.#slices.values()];
    const items = all.slice(from, from + this.pageItems);
    const next = from + items.length;
    const more = next < all.length ? { continue: String(next) } : {};
    const metadata = { resourceVersion: String(this.#version), ...more };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ kind: 'EndpointSliceList', apiVersion: 'discovery.k8s.io/v1', metadata, items }));
  }

  #watch(from: number, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (from < this.#oldest) {
      response.end(this.#line('ERROR', statusObject(410, 'too old resource version')));
      return;
    }
    this.#watches.add(response);
    response.on('close', () => this.#watches.delete(response));
    if (this.isMute) return;
    for (const { version, line } of this.#events) if (version > from) response.write(line);
  }

  #tell(type: string, object: object): void {
    const line = this.#line(type, object);
    this.#events.push({ version: this.#version, line });
    if (!this.isMute) this.say(line);
  }

  #line(type: string, object: object): string {
    return `${JSON.stringify({ type, object })}\n`;
  }
}
