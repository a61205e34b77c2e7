/**
 * A session as somebody pasted it: the id itself, or the value of its cookie as the browser shows it. Either way
 * only what the preset's own decoder accepts becomes a session id.
 *
 * Must not know where the session is.
 */

import type { SessionCodec, SessionId } from '../affinity/session-codec.ts';
import { parseSessionId } from '../affinity/session-id/presets.ts';
import type { Config } from '../config/config.ts';

/** @returns undefined where it is neither an id in its exact shape nor a cookie value that decodes. */
export function readSessionId(given: string, codec: SessionCodec, config: Config): SessionId | undefined {
  const id = parseSessionId(config.session.preset, given);
  if (id !== undefined) return id;
  const name = codec.cookieName ?? config.session.cookie;
  if (name === undefined || /[\s;,]/.test(given)) return undefined;
  return codec.fromRequest(`${name}=${given}`);
}
