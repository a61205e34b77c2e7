/**
 * What the injector asks of the API server, and writes there: JSON, a few requests a minute. No watches, no caches, no
 * retries: whoever asks knows what a failure means for it. Sources of pods have a client of their own (api-client.ts), which
 * knows what each failure means for a list.
 *
 * Must not know what is asked for.
 */

import { Agent, request } from 'undici';
import { HoldfastError } from '../base/errors.ts';
import { readBounded } from '../base/read-bounded.ts';
import { type ApiAccess, connectOptions, requestFields } from './api-access.ts';
import { readApiAccess } from './read-access.ts';

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

const timeoutMs = 5_000;
/** Lists come in pages of a few hundred objects. */
const answerBytesMax = 32 * 1024 * 1024;

export class ApiServer {
  readonly #environment: Readonly<Record<string, string | undefined>>;
  #agent: { readonly agent: Agent; readonly by: string } | undefined;

  /** @param environment says where it is (read-access.ts). */
  constructor(environment: Readonly<Record<string, string | undefined>>) {
    this.#environment = environment;
  }

  /** @throws HoldfastError 'api-server-unavailable': no answer within the call's time. */
  async call({ method, path, body, timeoutMs: ms = timeoutMs }: ApiCall): Promise<ApiAnswer> {
    try {
      // Read anew each time: the token is replaced before it expires.
      const access = await readApiAccess(this.#environment);
      const answer = await request(access.origin + access.basePath + path, {
        method,
        dispatcher: this.#agentFor(access),
        headers: requestFields(access, body === undefined ? undefined : 'application/json'),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(ms),
      });
      const text = await readBounded(answer.body, answerBytesMax);
      if (text === undefined) throw new Error(`the answer is larger than ${answerBytesMax} bytes`);
      return { status: answer.statusCode, body: asJson(text) };
    } catch (error) {
      throw new HoldfastError(
        'api-server-unavailable',
        `${method} ${path.split('?', 1)[0] ?? ''}: ${reasonOf(error)}`,
        {
          cause: error,
        },
      );
    }
  }

  async close(): Promise<void> {
    await this.#agent?.agent.close();
  }

  /** The same for as long as we are the same to the same authority. */
  #agentFor(access: ApiAccess): Agent {
    const connect = connectOptions(access, timeoutMs);
    const by = JSON.stringify(connect);
    if (this.#agent?.by === by) return this.#agent.agent;
    void this.#agent?.agent.close();
    const agent = new Agent({ connections: 8, pipelining: 1, connect });
    this.#agent = { agent, by };
    return agent;
  }
}

/** What the API server says is wrong, for people; it names the account and what it may not do. */
export function apiProblem({ status, body }: ApiAnswer): string {
  const message = typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : '';
  return `${status} ${message.slice(0, 300)}`.trim();
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
