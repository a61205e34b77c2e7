/**
 * The SessionCodec of a preset: finds the session's cookie in requests and answers, decodes it, and remembers what
 * it decoded. Laravel encrypts anew for each answer, so the value a browser sends next is the one just decoded.
 *
 * Must not know pods, files or the store, nor the details of any framework (session-id/).
 */

import {
  type CookieNotice,
  CookieWatch,
  sessionCookieOfAnswer,
  sessionCookieOfRequest,
  unreadableCookieOfAnswer,
} from './cookie-choice.ts';
import { findCookie } from './cookie-line.ts';
import { ownText } from './own-text.ts';
import { RecentTexts } from './recent-texts.ts';
import type { CookieChange, Preset, SessionCodec, SessionId } from './session-codec.ts';
import type { SessionIdDecoder } from './session-id/decoder.ts';
import { defaultCookie, presetDecoder } from './session-id/presets.ts';
import { lifeAt, readLifetime, setCookieOf, type Lifetime, type SetCookie } from './set-cookie.ts';

/** Values remembered, about 600 bytes each with Laravel. */
const decodedMaxDefault = 16_384;

const noChange: CookieChange = { kind: 'none' };

export interface PresetCodecOptions {
  readonly preset: Preset;
  /** `session.cookie`; undefined: the preset's own. */
  readonly cookie: string | undefined;
  /** `session.keys`: the newest first. */
  readonly keys: readonly string[];
  /** Told at most once of each kind; for the log and the metric. */
  readonly notice?: (notice: CookieNotice) => void;
  readonly decodedMax?: number;
}

/** A codec whose keys a reload may replace. */
export interface RekeyableCodec extends SessionCodec {
  /** @throws HoldfastError 'bad-configuration': what presetProblems would have said; then nothing has changed. */
  rekey(keys: readonly string[]): void;
}

/** @throws HoldfastError 'bad-configuration': what presetProblems would have said. */
export function createSessionCodec(options: PresetCodecOptions): RekeyableCodec {
  return new PresetCodec(options);
}

class PresetCodec implements RekeyableCodec {
  readonly preset: Preset;
  readonly #options: PresetCodecOptions;
  #decoder: SessionIdDecoder;
  readonly #decoded: RecentTexts<SessionId>;
  readonly #notice: (notice: CookieNotice) => void;
  readonly #watch: CookieWatch | undefined;
  #cookieName: string | undefined;
  #toldUnreadable = false;
  /** Of the last answer: those of one second have the same attributes. */
  #lifetime: { readonly attributes: string; readonly read: Lifetime } = { attributes: '', read: readLifetime('') };

  constructor(options: PresetCodecOptions) {
    this.preset = options.preset;
    this.#options = options;
    this.#decoder = presetDecoder(options.preset, options);
    this.#decoded = new RecentTexts(options.decodedMax ?? decodedMaxDefault);
    this.#notice = options.notice ?? (() => undefined);
    this.#cookieName = options.cookie ?? defaultCookie(options.preset);
    // Only an encrypted value shows by itself that it is a session.
    if (options.preset === 'laravel' && options.cookie !== undefined) {
      this.#watch = new CookieWatch(options.cookie, this.#notice);
    }
  }

  get cookieName(): string | undefined {
    return this.#cookieName;
  }

  rekey(keys: readonly string[]): void {
    this.#decoder = presetDecoder(this.preset, { ...this.#options, keys });
    // What only a dropped key opened is no session any more.
    this.#decoded.clear();
    this.#toldUnreadable = false;
  }

  fromRequest(cookie: string | undefined): SessionId | undefined {
    if (cookie === undefined) return undefined;
    const name = this.#cookieName ?? this.#choose(sessionCookieOfRequest(cookie, this.#decoder));
    if (name === undefined) return undefined;
    const value = findCookie(cookie, name, this.#decoder.reader);
    return value === undefined || value === '' ? undefined : this.#decode(value, name);
  }

  fromAnswer(setCookies: readonly string[], nowMs: number, known?: SessionId): CookieChange {
    if (setCookies.length === 0) return noChange;
    const name = this.#cookieName ?? this.#choose(sessionCookieOfAnswer(setCookies, this.#decoder));
    if (name === undefined) {
      if (!this.#toldUnreadable) this.#unreadable(unreadableCookieOfAnswer(setCookies, this.#decoder));
      return noChange;
    }
    for (let index = setCookies.length - 1; index >= 0; index--) {
      const cookie = setCookieOf(setCookies[index]!, name);
      if (cookie === undefined) continue;
      this.#watch?.seen();
      return this.#change(cookie, name, { nowMs, known });
    }
    this.#watch?.missed(setCookies, this.#decoder);
    return noChange;
  }

  #change(
    { value, attributes }: SetCookie,
    name: string,
    { nowMs, known }: { readonly nowMs: number; readonly known: SessionId | undefined },
  ): CookieChange {
    const { ended, lifetimeSeconds } = lifeAt(this.#lifetimeOf(attributes), nowMs);
    if (value === '' || value === '""' || ended) return { kind: 'ended', attributes };
    const session = this.#decodeNew(value, name, known);
    if (session !== undefined) return { kind: 'set', session, attributes, lifetimeSeconds };
    this.#unreadable(name);
    return noChange;
  }

  #unreadable(cookie: string | undefined): void {
    if (cookie === undefined || this.#toldUnreadable) return;
    this.#toldUnreadable = true;
    this.#notice({ kind: 'cookie-unreadable', cookie: ownText(cookie) });
  }

  #lifetimeOf(attributes: string): Lifetime {
    if (this.#lifetime.attributes !== attributes) {
      this.#lifetime = { attributes: ownText(attributes), read: readLifetime(attributes) };
    }
    return this.#lifetime.read;
  }

  #choose(name: string | undefined): string | undefined {
    if (name === undefined) return undefined;
    this.#cookieName = ownText(name);
    this.#notice({ kind: 'cookie-chosen', cookie: this.#cookieName });
    return this.#cookieName;
  }

  #decode(value: string, name: string): SessionId | undefined {
    return this.#decoded.get(value) ?? this.#decodeNew(value, name, undefined);
  }

  /**
   * A value that was hardly ever seen before, as those of answers.
   * @param known a session that the value may well name: then it is this text, not another one like it.
   */
  #decodeNew(value: string, name: string, known: SessionId | undefined): SessionId | undefined {
    const id = this.#decoder.decode(value, name)?.id;
    if (id === undefined) return undefined;
    const own = id === known ? known : (ownText(id) as SessionId);
    this.#decoded.set(value, own);
    return own;
  }
}
