/**
 * `holdfast where <session>`: which pod has a session, and why. Asks the admin window of the running process.
 *
 * The id is a secret: `-` reads it from standard input, so that it stands in no list of processes. What is
 * printed names the session by its digest.
 */

import { systemClock } from '../base/clock.ts';
import { createLog } from '../base/log.ts';
import { Metrics } from '../base/metrics.ts';
import type { SessionCodec } from '../affinity/session-codec.ts';
import { parseSessionId } from '../affinity/session-id/presets.ts';
import type { Config } from '../config/config.ts';
import { askAdmin, errorOf } from './admin-client.ts';
import type { ConfigOptions } from './load-or-complain.ts';
import { loadOrComplain } from './load-or-complain.ts';
import { openCodec } from './process-parts.ts';
import { readSessionId } from './read-session-id.ts';

export interface WhereOptions extends ConfigOptions {
  /** The id or the cookie's value; `-`: on standard input. */
  readonly session: string;
  readonly json: boolean;
  /** Standard input, for `-`. */
  readonly input?: AsyncIterable<Uint8Array | string>;
}

const inputCharactersMax = 8192;
const answerTimeoutMs = 5_000;
const unreadHint =
  '; a cookie can be read once the process asked has seen one: set session.cookie, or ask a process that serves it';

/** Exit code 0: told. 1: bad configuration or arguments. 2: nobody there, or nobody knows the session. */
export async function where(options: WhereOptions): Promise<number> {
  const config = loadOrComplain(options);
  if (config === undefined) return 1;
  const session = options.session === '-' ? await readId(options.input ?? process.stdin) : options.session;
  if (session === '') {
    process.stderr.write('holdfast where: no session id was given\n');
    return 1;
  }
  if (!maybeSession(session, config)) {
    process.stderr.write(
      `holdfast where: that is neither a session id of preset ${config.session.preset} nor the value of its cookie\n`,
    );
    return 1;
  }
  const path = `/sessions/${encodeURIComponent(session)}`;
  const reply = await askAdmin(config, { method: 'GET', path, timeoutMs: answerTimeoutMs });
  if (reply.kind === 'answer' && reply.status === 200) {
    process.stdout.write(options.json ? `${JSON.stringify(reply.value)}\n` : forPeople(reply.value));
    return 0;
  }
  const more = reply.kind === 'answer' && reply.status === 404 && mayBeUnread(session, config) ? unreadHint : '';
  process.stderr.write(`holdfast where: ${reply.kind === 'nobody' ? reply.why : errorOf(reply)}${more}\n`);
  return 2;
}

/** False only where the running process could not read it either: it may have found out the cookie's name by now. */
function maybeSession(given: string, config: Config): boolean {
  if (config.session.cookie === undefined) return true;
  return readSessionId(given, silentCodec(config), config) !== undefined;
}

/** Whether only the cookie's name, which the running process may still have to find out, would make it readable. */
function mayBeUnread(given: string, config: Config): boolean {
  const { preset, cookie } = config.session;
  if (cookie !== undefined || parseSessionId(preset, given) !== undefined) return false;
  return silentCodec(config).cookieName === undefined;
}

function silentCodec(config: Config): SessionCodec {
  return openCodec(config, { log: createLog({ level: 'silent' }), metrics: new Metrics(), clock: systemClock });
}

async function readId(input: AsyncIterable<Uint8Array | string>): Promise<string> {
  let text = '';
  for await (const piece of input) {
    text += typeof piece === 'string' ? piece : Buffer.from(piece).toString('utf8');
    if (text.length > inputCharactersMax) break;
  }
  return text.trim();
}

/** One line for each thing that is known, aligned. */
function forPeople(value: unknown): string {
  const entries = Object.entries(typeof value === 'object' && value !== null ? value : {});
  const known = entries.filter(([, content]) => content !== null);
  const width = Math.max(0, ...known.map(([name]) => name.length));
  return known.map(([name, content]) => `${name.padEnd(width)}  ${shown(content)}\n`).join('');
}

function shown(content: unknown): string {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  // What comes from a running process goes to a terminal.
  return text.replace(/[^\x20-\x7e]/g, '?');
}
