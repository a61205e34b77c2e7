/** One request on a connection of its own, and its whole answer. */

import { request } from 'undici';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly setCookies: readonly string[];
  readonly text: string;
}

/** @throws Error where the answer was cut. */
export async function askHttp(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const answer = await request(url, { headers: { connection: 'close', ...headers } });
  const set = answer.headers['set-cookie'];
  const setCookies = set === undefined ? [] : typeof set === 'string' ? [set] : set;
  return { status: answer.statusCode, headers: answer.headers, setCookies, text: await answer.body.text() };
}
