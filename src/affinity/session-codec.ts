/**
 * What a preset knows about a framework's session cookie: which cookie carries the id, how to read the id out
 * of it, and what an answer's Set-Cookie says about the session.
 *
 * Must not know pods, files or the store. Pure; decoded values may be cached, bounded.
 */

/** A session id in its preset's exact shape. Nothing else ever becomes a key, a log field or a file name. */
export type SessionId = string & { readonly __brand: 'SessionId' };

export const presets = [
  'laravel',
  'php',
  'symfony',
  'codeigniter',
  'django',
  'flask',
  'express',
  'jsessionid',
  'plain',
] as const;
export type Preset = (typeof presets)[number];

/** What the session Set-Cookie lines of one answer say; of several lines the last counts (rules 24). */
export type CookieChange =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'set';
      readonly session: SessionId;
      /** Everything after the first `;` of the Set-Cookie value, byte for byte, without that `;`. May be ''. */
      readonly attributes: string;
      /** Seconds from now until the cookie ends; undefined: it ends with the browser. */
      readonly lifetimeSeconds: number | undefined;
    }
  | { readonly kind: 'ended'; readonly attributes: string };

export interface SessionCodec {
  readonly preset: Preset;
  /** The configured or chosen cookie name; undefined while `laravel` has not seen which one it is. */
  readonly cookieName: string | undefined;
  /** The session that a Cookie field value (all lines joined with "; ") names; undefined: none that is valid. */
  fromRequest(cookie: string | undefined): SessionId | undefined;
  /**
   * `setCookies`: the values of all Set-Cookie lines, in order. `nowMs`: wall clock, for Expires. `known`: the
   * request's session; where the answer names the same, this very text is the change's, so that tables know it.
   */
  fromAnswer(setCookies: readonly string[], nowMs: number, known?: SessionId): CookieChange;
}
