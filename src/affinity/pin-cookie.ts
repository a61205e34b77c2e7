/**
 * The pin cookie: "this session lives on that pod", kept by the client (rules 22 to 25). Read from requests,
 * stripped from what the application gets, and added to answers when it is due.
 *
 * A pin is honoured only together with the application's own session cookie. One that does not verify, has expired
 * or is another session's is no error: it counts as none, or as a hint.
 *
 * Must not know which pods exist (choose-pod.ts), nor sockets.
 */

import { createHash } from 'node:crypto';
import { followKeys, type KeySource } from '../base/keyring.ts';
import { RecentMap } from '../base/recent-map.ts';
import { findCookie, someCookie, withoutCookie } from './cookie-line.ts';
import { ownText } from './own-text.ts';
import { PinSigner, type PinClaim } from './pin-token.ts';
import { RecentTexts } from './recent-texts.ts';
import type { CookieChange, SessionId } from './session-codec.ts';
import { cookieLife, hasAttribute, withoutLife } from './set-cookie.ts';

/** What a request's pins say, for this request's session. */
export type PinReading =
  /** No cookie of that name, or no session it could belong to. */
  | { readonly kind: 'none' }
  /** `stale`: past half its life, to be renewed. */
  | { readonly kind: 'valid'; readonly pod: string; readonly epoch: number; readonly stale: boolean }
  /** Ours and not expired, but of another session: a hint for where to go, no more. */
  | { readonly kind: 'hint'; readonly pod: string }
  | { readonly kind: 'expired' }
  | { readonly kind: 'invalid' };

/** What the gateway knows about an answer when its head passes. */
export interface PinAsk {
  readonly status: number;
  readonly cacheControl: string | undefined;
  readonly change: CookieChange;
  /** The request's session. */
  readonly session: SessionId | undefined;
  readonly reading: PinReading;
  /** The pod that served, as the answer named it. */
  readonly pod: { readonly name: string; readonly uid: string };
  /** The term it served under; undefined: none known. */
  readonly epoch: number | undefined;
  /** The client's connection is encrypted. */
  readonly secure: boolean;
  /** Wall clock. */
  readonly nowMs: number;
}

export interface PinCookiesOptions {
  readonly secrets: KeySource;
  /** `store.prefix`. */
  readonly application: string;
  /** `affinity.cookie`; undefined: made from the application and the session cookie's name. */
  readonly name: string | undefined;
  /** The configured `session.cookie` or the preset's default; undefined: found out later. */
  readonly sessionCookie: string | undefined;
  readonly issuedMax?: number;
  readonly verifiedMax?: number;
}

/** More cookies of our name than this are not looked at. */
const pinsMax = 8;
const cookiesMax = 400;
/** A pin outlives its session cookie by this, so that it never ends first. */
const graceSeconds = 60;
/** Sessions whose newest pin is remembered. */
const issuedMaxDefault = 20_000;
/** Pins of clients that were found to be right, about 400 bytes each. */
const verifiedMaxDefault = 32_768;
/** Digests of pods, gone ones too. */
const podsMax = 10_000;

const noPin: PinReading = { kind: 'none' };
const invalidPin: PinReading = { kind: 'invalid' };
const expiredPin: PinReading = { kind: 'expired' };

interface Issued {
  /** The pod's name and uid, not their digest: what is compared for each answer. */
  readonly pod: string;
  readonly uid: string;
  readonly epoch: number;
  readonly minute: number;
  readonly lifetimeSeconds: number | undefined;
  readonly token: string;
}

/** A text that one of our keys signed. */
interface VerifiedPin {
  readonly claim: PinClaim;
  /** The session whose digest it bears, once that has been seen. */
  session: SessionId | undefined;
}

export class PinCookies {
  readonly #signer: PinSigner;
  readonly #base: string;
  readonly #isNameGiven: boolean;
  #name: string;
  #sessionCookie: string | undefined;
  readonly #pods: RecentMap<string, readonly [string, ...string[]]>;
  readonly #issued: RecentMap<SessionId, Issued>;
  readonly #verified: RecentTexts<VerifiedPin>;
  /** The application's attributes as last seen, for pins that are due when it sets no cookie. */
  #seen: { readonly attributes: string; readonly lifetimeSeconds: number | undefined } | undefined;
  #suffix: { readonly attributes: string; readonly text: string } = { attributes: '', text: '; HttpOnly' };

  constructor(options: PinCookiesOptions) {
    this.#signer = new PinSigner(options);
    this.#base = options.name ?? defaultName(options.application, options.sessionCookie);
    this.#isNameGiven = options.name !== undefined;
    this.#sessionCookie = options.sessionCookie;
    this.#name = this.#isNameGiven ? this.#base : prefixOf(options.sessionCookie) + this.#base;
    this.#pods = new RecentMap(podsMax);
    this.#issued = new RecentMap(options.issuedMax ?? issuedMaxDefault);
    this.#verified = new RecentTexts(options.verifiedMax ?? verifiedMaxDefault);
    // After the signer, which follows them too: what was made or read with the keys of before is so again.
    followKeys(options.secrets, () => {
      this.#pods.clear();
      this.#issued.clear();
      this.#verified.clear();
    });
  }

  get name(): string {
    return this.#name;
  }

  /** The session cookie was found out meanwhile: its `__Host-` or `__Secure-` becomes ours (rules 24). */
  sessionCookieIs(name: string | undefined): void {
    if (name === this.#sessionCookie || name === undefined) return;
    this.#sessionCookie = name;
    if (!this.#isNameGiven) this.#name = prefixOf(name) + this.#base;
  }

  /** A pod's digests as pins bear them, one for each key. */
  podDigests(name: string, uid: string): readonly [string, ...string[]] {
    const key = `${name}\n${uid}`;
    let digests = this.#pods.get(key);
    if (digests === undefined) {
      digests = this.#signer.podDigests(name, uid);
      this.#pods.set(key, digests);
    }
    return digests;
  }

  /**
   * What the pins of a request say. Of several the first that verifies and is this session's counts.
   * @param nowMs wall clock
   */
  read(cookie: string | undefined, session: SessionId | undefined, nowMs: number): PinReading {
    if (cookie === undefined || session === undefined) return noPin;
    const first = findCookie(cookie, this.#name, 'first');
    if (first === undefined) return noPin;
    const reading = this.#judge(first, session, nowMs);
    return reading.kind === 'valid' ? reading : this.#best(cookie, session, { nowMs, first: reading });
  }

  /** The Cookie value without our cookies; undefined: there is none of them, null: nothing is left. */
  strip(cookie: string | undefined): string | null | undefined {
    return cookie === undefined ? undefined : withoutCookie(cookie, this.#name);
  }

  /**
   * The Set-Cookie value to add to an answer, or undefined (rules 22). Call it for every final answer to a request
   * with a session or an answer that changes one; it also learns the application's attributes.
   */
  due(ask: PinAsk): string | undefined {
    const { change } = ask;
    if (change.kind === 'set') this.#seen = change;
    if (ask.status < 200 || ask.status === 304 || isShared(ask.cacheControl)) return undefined;
    if (change.kind === 'set') return this.#issue(change.session, ask, change);
    if (change.kind === 'ended') return this.end(change.attributes, ask.nowMs);
    if (ask.session === undefined || !this.#isBehind(ask)) return undefined;
    const seen = this.#seen;
    if (seen === undefined) {
      const attributes = ` Path=/; HttpOnly; SameSite=Lax${ask.secure ? '; Secure' : ''}`;
      return this.#issue(ask.session, ask, { attributes, lifetimeSeconds: undefined });
    }
    // An Expires seen earlier may have passed: the life counts from now.
    const life = seen.lifetimeSeconds === undefined ? '' : `; Max-Age=${seen.lifetimeSeconds}`;
    return this.#issue(ask.session, ask, {
      attributes: withoutLife(seen.attributes) + life,
      lifetimeSeconds: seen.lifetimeSeconds,
    });
  }

  /** The Set-Cookie value that ends the pin, with the attributes of the application's own. */
  end(attributes: string, nowMs: number): string {
    const life = cookieLife(attributes, nowMs).ended ? '' : '; Max-Age=0';
    return `${this.#name}=${this.#suffixOf(attributes)}${life}`;
  }

  /** The Set-Cookie value that ends the pin where no answer of the application says how (`strict`). */
  endAsLastSeen(secure: boolean): string {
    const attributes = this.#seen?.attributes ?? ` Path=/; SameSite=Lax${secure ? '; Secure' : ''}`;
    return `${this.#name}=${this.#suffixOf(withoutLife(attributes))}; Max-Age=0`;
  }

  #judge(token: string, session: SessionId, nowMs: number): PinReading {
    const pin = this.#verify(token);
    if (pin === undefined) return invalidPin;
    const { claim } = pin;
    const now = nowMs / 1000;
    if (claim.expiresSeconds !== 0 && claim.expiresSeconds <= now) return expiredPin;
    if (pin.session !== session) {
      if (!this.#signer.isOfSession(claim, session)) return { kind: 'hint', pod: claim.pod };
      pin.session = session;
    }
    return { kind: 'valid', pod: claim.pod, epoch: claim.epoch, stale: isPastHalf(claim, now) };
  }

  #verify(token: string): VerifiedPin | undefined {
    const known = this.#verified.get(token);
    if (known !== undefined) return known;
    const claim = this.#signer.read(token);
    if (claim === undefined) return undefined;
    const pin: VerifiedPin = { claim, session: undefined };
    this.#verified.set(token, pin);
    return pin;
  }

  #best(cookie: string, session: SessionId, known: { nowMs: number; first: PinReading }): PinReading {
    let best = known.first;
    let left = pinsMax;
    someCookie(cookie, cookiesMax, (name, token) => {
      if (name !== this.#name) return false;
      const reading = this.#judge(token, session, known.nowMs);
      if (rank(reading) > rank(best)) best = reading;
      left--;
      return left === 0 || best.kind === 'valid';
    });
    return best;
  }

  #isBehind({ reading, pod, epoch }: PinAsk): boolean {
    if (reading.kind !== 'valid' || reading.stale) return true;
    return !this.podDigests(pod.name, pod.uid).includes(reading.pod) || (epoch !== undefined && epoch > reading.epoch);
  }

  #issue(
    session: SessionId,
    { pod, epoch = 0, nowMs }: PinAsk,
    like: { readonly attributes: string; readonly lifetimeSeconds: number | undefined },
  ): string {
    const minute = Math.floor(nowMs / 60_000);
    const { lifetimeSeconds } = like;
    let issued = this.#issued.get(session);
    if (
      issued?.minute !== minute ||
      issued.pod !== pod.name ||
      issued.uid !== pod.uid ||
      issued.epoch !== epoch ||
      issued.lifetimeSeconds !== lifetimeSeconds
    ) {
      const [podDigest] = this.podDigests(pod.name, pod.uid);
      const sessionDigest = this.#signer.sessionDigest(session);
      const issuedSeconds = minute * 60;
      // The minute that is rounded away is given back, so that the grace is never less than it says.
      const expiresSeconds = lifetimeSeconds === undefined ? 0 : issuedSeconds + 60 + lifetimeSeconds + graceSeconds;
      const claim = { pod: podDigest, session: sessionDigest, epoch, issuedSeconds, expiresSeconds };
      issued = {
        pod: ownText(pod.name),
        uid: ownText(pod.uid),
        epoch,
        minute,
        lifetimeSeconds,
        token: this.#signer.write(claim),
      };
      this.#issued.set(session, issued);
    }
    return `${this.#name}=${issued.token}${this.#suffixOf(like.attributes)}`;
  }

  /** `;attributes` with HttpOnly. Answers of one second have the same attributes, so the last one is kept. */
  #suffixOf(attributes: string): string {
    if (this.#suffix.attributes === attributes) return this.#suffix.text;
    const own = attributes === '' ? '' : `;${attributes}`;
    const text = hasAttribute(attributes, 'httponly') ? own : `${own}; HttpOnly`;
    this.#suffix = { attributes, text };
    return text;
  }
}

/** Our cookie's name for an application: the session cookie's name is in it, as two may share a domain (rules 25). */
function defaultName(application: string, sessionCookie: string | undefined): string {
  const hash = createHash('sha256')
    .update(`${application}\n${sessionCookie ?? ''}`)
    .digest('hex');
  return `hf_${hash.slice(0, 8)}`;
}

function prefixOf(sessionCookie: string | undefined): string {
  if (sessionCookie?.startsWith('__Host-') === true) return '__Host-';
  return sessionCookie?.startsWith('__Secure-') === true ? '__Secure-' : '';
}

function isPastHalf(claim: PinClaim, nowSeconds: number): boolean {
  return claim.expiresSeconds !== 0 && nowSeconds > (claim.issuedSeconds + claim.expiresSeconds) / 2;
}

function rank(reading: PinReading): number {
  switch (reading.kind) {
    case 'valid':
      return 4;
    case 'hint':
      return 3;
    case 'expired':
      return 2;
    case 'invalid':
      return 1;
    case 'none':
      return 0;
  }
}

/** A shared cache would hand one client's pin to others (RFC 9111 section 5.2.2). */
function isShared(cacheControl: string | undefined): boolean {
  if (cacheControl === undefined) return false;
  const lower = cacheControl.toLowerCase();
  return lower.includes('public') || lower.includes('s-maxage');
}
