/**
 * One connection to the API server: JSON pages, and streams of events. What goes wrong becomes a SourceFailure here,
 * with the words for whoever has to mend it.
 *
 * Must not know what the pages hold, nor when to ask again.
 */

import { Client, type Dispatcher } from 'undici';

import { HoldfastError } from '../base/errors.ts';
import { readBounded } from '../base/read-bounded.ts';
import { type SourceError, SourceFailure } from '../pods/pod-source.ts';
import { type ApiAccess, connectOptions, requestFields } from './api-access.ts';
import { field, text } from './object-fields.ts';

export type Query = Readonly<Record<string, string>>;

/** Also for the handshake, and for an API server that takes connections and says nothing. */
const connectMs = 5000;
const answerMs = 15_000;
/** One page of a list: 50 slices of a thousand endpoints each. */
const pageBytesMax = 64 * 1024 * 1024;
const statusBytesMax = 64 * 1024;
const wordsMax = 300;
const retryAfterMaxMs = 60_000;
/** Of a change: not found; in conflict, or not valid, because the uid is another one by now. */
const goneStatuses: ReadonlySet<number> = new Set([404, 409, 422]);

export class ApiClient {
  readonly #client: Client;
  readonly #access: ApiAccess;
  /** What is asked for, in the words that a Role has for it. */
  readonly #resource: string;

  constructor(access: ApiAccess, resource: string) {
    this.#access = access;
    this.#resource = resource;
    this.#client = new Client(access.origin, { pipelining: 1, connect: connectOptions(access, connectMs) });
  }

  /** A whole JSON answer. @throws SourceFailure */
  async page(path: string, query: Query): Promise<unknown> {
    const body = await this.#get(path, query, answerMs);
    const page = await read(body, pageBytesMax).catch((error: unknown) => Promise.reject(asFailure(error)));
    try {
      return JSON.parse(page);
    } catch {
      throw new SourceFailure('bad-answer', 'the API server answered 200 with something that is no JSON');
    }
  }

  /** The pieces of an answer that goes on; errors of reading them are the caller's to convert (asFailure). */
  stream(path: string, query: Query): Promise<AsyncIterable<Buffer>> {
    return this.#get(path, query, 0);
  }

  /**
   * Changes what is at `path` (JSON merge patch, RFC 7396). False: it is not there any more, or is another object.
   * @throws SourceFailure
   */
  async mergePatch(path: string, patch: unknown): Promise<boolean> {
    const content = { type: 'application/merge-patch+json', body: JSON.stringify(patch) };
    const answer = await this.#send(path, answerMs, content);
    if (goneStatuses.has(answer.statusCode)) {
      answer.body.destroy();
      return false;
    }
    await read(await this.#checked(answer), pageBytesMax).catch((error: unknown) => Promise.reject(asFailure(error)));
    return true;
  }

  /** Ends what is under way. */
  destroy(why?: Error): void {
    // Nothing is left to be told: who waited has been.
    void this.#client.destroy(why ?? null).catch(() => undefined);
  }

  async #get(path: string, query: Query, bodyMs: number): Promise<AsyncIterable<Buffer>> {
    return this.#checked(await this.#send(`${path}?${new URLSearchParams(query).toString()}`, bodyMs, undefined));
  }

  async #send(
    target: string,
    bodyMs: number,
    content: { readonly type: string; readonly body: string } | undefined,
  ): Promise<Dispatcher.ResponseData> {
    const answer = await this.#client
      .request({
        method: content === undefined ? 'GET' : 'PATCH',
        path: `${this.#access.basePath}${target}`,
        body: content?.body ?? null,
        headers: requestFields(this.#access, content?.type),
        headersTimeout: answerMs,
        bodyTimeout: bodyMs,
      })
      .catch((error: unknown) => Promise.reject(asFailure(error)));
    answer.body.on('error', () => undefined);
    return answer;
  }

  /** The body of an answer that is what was asked for. @throws SourceFailure */
  async #checked({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<AsyncIterable<Buffer>> {
    const isJson = String(headers['content-type'] ?? '').startsWith('application/json');
    if (statusCode === 200 && isJson) return body;
    const words = isJson ? await statusWords(body) : `not from an API server (${String(headers['content-type'])})`;
    body.destroy();
    throw refusal(statusCode, { words, resource: this.#resource, retryAfter: headers['retry-after'] });
  }
}

/** A foreign error of a connection in our own words. */
export function asFailure(error: unknown): SourceFailure {
  if (error instanceof SourceFailure) return error;
  // What we are to it can't be read: a file that is replaced at this moment, perhaps.
  if (error instanceof HoldfastError) return new SourceFailure('unreachable', error.message);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  const words = code === '' || message.includes(code) ? message : `${code}: ${message}`;
  return new SourceFailure('unreachable', `the API server can not be reached: ${words.slice(0, wordsMax)}`);
}

function refusal(
  status: number,
  { words, resource, retryAfter }: { readonly words: string; readonly resource: string; readonly retryAfter: unknown },
): SourceFailure {
  const kinds: Readonly<Record<number, SourceError>> = { 401: 'unauthenticated', 403: 'denied', 410: 'expired' };
  const kind = kinds[status] ?? (status === 200 ? 'bad-answer' : 'refused');
  const seconds = typeof retryAfter === 'string' && /^\d{1,5}$/.test(retryAfter) ? Number(retryAfter) : 0;
  const afterMs = Math.min(seconds * 1000, retryAfterMaxMs);
  const said = `the API server answered ${status}: ${words}`;
  switch (kind) {
    case 'denied':
      return new SourceFailure(kind, `${said}; the service account needs a Role with ${resource}`, afterMs);
    case 'unauthenticated':
      return new SourceFailure(kind, `${said}; it does not accept our token or certificate`, afterMs);
    default:
      return new SourceFailure(kind, said, afterMs);
  }
}

/** The message of a Status object (what the API server answers instead of what was asked for). */
async function statusWords(body: AsyncIterable<Buffer>): Promise<string> {
  try {
    const status: unknown = JSON.parse(await read(body, statusBytesMax));
    return (text(field(status, 'message')) ?? 'no reason').slice(0, wordsMax);
  } catch {
    return 'no reason';
  }
}

async function read(body: AsyncIterable<Buffer>, bytesMax: number): Promise<string> {
  const whole = await readBounded(body, bytesMax);
  if (whole === undefined) throw new SourceFailure('bad-answer', 'the answer of the API server is too long');
  return whole;
}
