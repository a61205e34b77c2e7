/**
 * Preset laravel without `session.cookie`: which of the cookies is the session's (rules 26)? And with it: is the
 * configured one ever sent, or does another one carry the sessions?
 *
 * Several encrypted cookies may decode to 40 alphanumerics: XSRF-TOKEN always does, an application may have its own.
 * So names that end like a session's go first, and where no name does only an answer is believed: a browser may
 * send a long-lived token of 40 characters after its session cookie has ended. A value that does not prove its
 * cookie's name (before Laravel 7.22) is never believed from a client, who could send any value under any name.
 *
 * Must not know what an id is used for.
 */

import { someCookie } from './cookie-line.ts';
import type { SessionIdDecoder } from './session-id/decoder.ts';
import { laravelPayload } from './session-id/laravel-payload.ts';
import { splitSetCookie } from './set-cookie.ts';

export type CookieNotice =
  /** Told once: the cookie that was found to carry the sessions. */
  | { readonly kind: 'cookie-chosen'; readonly cookie: string }
  /** Told once: 100 answers set `found`, a session by its value, and never the configured cookie. */
  | { readonly kind: 'cookie-missing'; readonly configured: string; readonly found: string }
  /** Told once: an answer set the session cookie, and it does not decode. The application has other keys, mostly. */
  | { readonly kind: 'cookie-unreadable'; readonly cookie: string };

const cookiesMax = 50;
const warnAfterAnswers = 100;
/** A wrong name shows within the first answers; after as many looks in vain it is not worth the decoding. */
const looksMax = 5000;

/** The session's cookie among those of a request; undefined: none that is sure. */
export function sessionCookieOfRequest(line: string, decoder: SessionIdDecoder): string | undefined {
  let found: string | undefined;
  someCookie(line, cookiesMax, (name, value) => {
    if (!hasSessionName(name) || decoder.decode(value, name)?.bound !== true) return false;
    found = name;
    return true;
  });
  return found;
}

/** The session's cookie among those an answer sets; undefined: none. */
export function sessionCookieOfAnswer(setCookies: readonly string[], decoder: SessionIdDecoder): string | undefined {
  let found: string | undefined;
  for (let index = 0; index < setCookies.length && index < cookiesMax; index++) {
    const cookie = splitSetCookie(setCookies[index]!);
    if (cookie === undefined || cookie.name === 'XSRF-TOKEN') continue;
    if (decoder.decode(cookie.value, cookie.name) === undefined) continue;
    if (hasSessionName(cookie.name)) return cookie.name;
    found ??= cookie.name;
  }
  return found;
}

/**
 * The cookie that only other keys than ours can have made; undefined: none. An answer's word, so no client's: one that is
 * named like a session and encrypted as one, or XSRF-TOKEN, which decodes like one wherever the keys are right.
 */
export function unreadableCookieOfAnswer(setCookies: readonly string[], decoder: SessionIdDecoder): string | undefined {
  for (const text of setCookies.slice(0, cookiesMax)) {
    const cookie = splitSetCookie(text);
    if (cookie === undefined || !(hasSessionName(cookie.name) || cookie.name === 'XSRF-TOKEN')) continue;
    if (laravelPayload(cookie.value) === undefined) continue;
    if (decoder.decode(cookie.value, cookie.name) === undefined) return cookie.name;
  }
  return undefined;
}

function hasSessionName(name: string): boolean {
  return name.endsWith('_session') || name.endsWith('-session');
}

/** Counts answers that set a session under another name than the configured one. */
export class CookieWatch {
  readonly #configured: string;
  readonly #notice: (notice: CookieNotice) => void;
  #strays = 0;
  #looksLeft = looksMax;

  constructor(configured: string, notice: (notice: CookieNotice) => void) {
    this.#configured = configured;
    this.#notice = notice;
  }

  /** The configured cookie was set: nothing is wrong, and nothing is looked for any more. */
  seen(): void {
    this.#looksLeft = 0;
  }

  /** An answer set cookies, but not the configured one. */
  missed(setCookies: readonly string[], decoder: SessionIdDecoder): void {
    if (this.#looksLeft === 0) return;
    this.#looksLeft--;
    const found = sessionCookieOfAnswer(setCookies, decoder);
    if (found === undefined) return;
    this.#strays++;
    if (this.#strays < warnAfterAnswers) return;
    this.#looksLeft = 0;
    this.#notice({ kind: 'cookie-missing', configured: this.#configured, found });
  }
}
