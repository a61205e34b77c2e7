/**
 * Asks the admin window of a running process, at the place that its configuration names.
 *
 * Must not know what is asked.
 */

import { Client } from 'undici';
import { formatAddress } from '../base/address.ts';
import type { Config } from '../config/config.ts';

export type AdminReply =
  | { readonly kind: 'answer'; readonly status: number; readonly value: unknown }
  /** Nobody is there, or nobody answered; in words. */
  | { readonly kind: 'nobody'; readonly why: string };

export interface AdminAsk {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** The JSON of a POST. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** The longest wait for the answer. */
  readonly timeoutMs: number;
}

const answerBytesMax = 1024 * 1024;
const connectTimeoutMs = 2_000;

/** Never throws or rejects. */
export async function askAdmin(config: Config, ask: AdminAsk): Promise<AdminReply> {
  const { place, token } = config.admin;
  if (place === undefined) return { kind: 'nobody', why: 'the configuration says admin: off' };
  const shown = place.kind === 'unix' ? `unix:${place.path}` : formatAddress(place.address);
  const origin = place.kind === 'unix' ? 'http://localhost' : `http://${formatAddress(place.address)}`;
  const client = new Client(origin, {
    connect: { timeout: connectTimeoutMs },
    headersTimeout: ask.timeoutMs,
    bodyTimeout: ask.timeoutMs,
    maxResponseSize: answerBytesMax,
    ...(place.kind === 'unix' && { socketPath: place.path }),
  });
  try {
    const reply = await client.request({
      method: ask.method,
      path: ask.path,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(ask.method === 'POST' && { 'content-type': 'application/json' }),
      },
      ...(ask.method === 'POST' && { body: JSON.stringify(ask.body ?? {}) }),
    });
    return { kind: 'answer', status: reply.statusCode, value: await reply.body.json() };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no valid answer';
    return {
      kind: 'nobody',
      why: `no process answered at ${shown} (${code}); is holdfast running with this configuration?`,
    };
  } finally {
    await client.destroy();
  }
}

/** `{"error": "..."}` of an answer, or its status. */
export function errorOf(reply: { readonly status: number; readonly value: unknown }): string {
  const { value } = reply;
  const said = typeof value === 'object' && value !== null && 'error' in value ? value.error : undefined;
  return typeof said === 'string' ? said : `status ${reply.status}`;
}
