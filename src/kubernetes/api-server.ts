/**
 * The API server as a pod reaches it: JSON by HTTPS, with the token of the pod's service account. A few requests a minute;
 * no caches, no retries: whoever asks knows what a failure means for it.
 *
 * Must not know what is asked for.
 */

import { readFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { HoldfastError } from '../base/errors.ts';

/** What was answered; `status` 404, 403 and 409 mean something to most who ask. */
export interface ApiAnswer {
  readonly status: number;
  /** As JSON has it; undefined for what is none. */
  readonly body: unknown;
}

export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body?: unknown;
  readonly timeoutMs?: number;
}

const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';
const timeoutMs = 5_000;
/** Lists come in pages of a few hundred objects. */
const answerBytesMax = 32 * 1024 * 1024;

export class ApiServer {
  /** Of the pod, as its account says; undefined where that is not mounted. */
  readonly namespace: string | undefined;
  readonly #origin: string;
  readonly #agent: Agent;
  readonly #tokenFile: string;

  /**
   * @param environment has KUBERNETES_SERVICE_HOST and _PORT in every pod.
   * @throws HoldfastError 'api-server-unavailable' outside a pod, or without a service account.
   */
  constructor(environment: Readonly<Record<string, string | undefined>>, folder = accountFolder) {
    const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = environment;
    if (!host) throw unavailable('this is no pod: KUBERNETES_SERVICE_HOST is not set');
    this.#origin = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
    this.#tokenFile = join(folder, 'token');
    try {
      const ca = readFileSync(join(folder, 'ca.crt'), 'utf8');
      this.#agent = new Agent({ connect: { ca, timeout: timeoutMs }, connections: 8, pipelining: 1 });
      this.namespace = readFileSync(join(folder, 'namespace'), 'utf8').trim();
    } catch (error) {
      throw unavailable(`the service account is not mounted at ${folder}`, error);
    }
  }

  /** @throws HoldfastError 'api-server-unavailable': no answer within the call's time. */
  async call({ method, path, body, timeoutMs: ms = timeoutMs }: ApiCall): Promise<ApiAnswer> {
    try {
      // Read anew each time: the kubelet replaces it before it expires.
      const token = (await readFile(this.#tokenFile, 'utf8')).trim();
      const answer = await request(this.#origin + path, {
        method,
        dispatcher: this.#agent,
        headers: {
          authorization: `Bearer ${token}`,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(ms),
      });
      return { status: answer.statusCode, body: asJson(await readAll(answer.body)) };
    } catch (error) {
      throw unavailable(`${method} ${path.split('?', 1)[0] ?? ''}: ${reasonOf(error)}`, error);
    }
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }
}

/** What the API server says is wrong, for people; it names the account and what it may not do. */
export function apiProblem({ status, body }: ApiAnswer): string {
  const message = typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : '';
  return `${status} ${message.slice(0, 300)}`.trim();
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of stream) {
    bytes += piece.length;
    if (bytes > answerBytesMax) throw new Error(`the answer is larger than ${answerBytesMax} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

function unavailable(detail: string, cause?: unknown): HoldfastError {
  return new HoldfastError('api-server-unavailable', detail, { cause });
}
