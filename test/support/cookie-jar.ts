/**
 * A browser's cookies (RFC 6265) and a browser that uses them: Path, Expires, Max-Age, Secure and deletion as
 * browsers do them, one host. Answers are read whole; an answer that is cut is an error, as in a browser.
 */

import { Agent, request } from 'undici';

/** A connection that was idle for longer is not used again. */
const idleMs = 1000;

interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly path: string;
  readonly secure: boolean;
  /** Milliseconds since 1970; undefined: until the browser ends. */
  readonly expiresMs: number | undefined;
  readonly order: number;
}

export class CookieJar {
  readonly #cookies = new Map<string, Cookie>();
  #order = 0;

  /** Stores the Set-Cookie values of an answer to a request for `path` (RFC 6265 section 5.3). */
  store(setCookies: readonly string[], path: string, nowMs = Date.now()): void {
    for (const line of setCookies) {
      const [pair, ...attributes] = line.split(';');
      const equals = pair!.indexOf('=');
      if (equals < 1) continue;
      const name = pair!.slice(0, equals).trim();
      const cookie = { name, value: pair!.slice(equals + 1).trim(), ...readAttributes(attributes, path, nowMs) };
      const key = `${name};${cookie.path}`;
      const order = this.#cookies.get(key)?.order ?? this.#order++;
      if (cookie.expiresMs !== undefined && cookie.expiresMs <= nowMs) this.#cookies.delete(key);
      else this.#cookies.set(key, { ...cookie, order });
    }
  }

  /** The Cookie value for a request: longer paths first, then older cookies (section 5.4). Undefined: none. */
  header(path: string, options: { readonly secure?: boolean; readonly nowMs?: number } = {}): string | undefined {
    const nowMs = options.nowMs ?? Date.now();
    const matching = [...this.#cookies.values()]
      .filter((cookie) => cookie.expiresMs === undefined || cookie.expiresMs > nowMs)
      .filter((cookie) => pathMatches(cookie.path, path) && (!cookie.secure || options.secure === true))
      .sort((a, b) => b.path.length - a.path.length || a.order - b.order);
    return matching.length === 0 ? undefined : matching.map(({ name, value }) => `${name}=${value}`).join('; ');
  }

  get(name: string): string | undefined {
    return [...this.#cookies.values()].find((cookie) => cookie.name === name)?.value;
  }

  get names(): readonly string[] {
    return [...this.#cookies.values()].map((cookie) => cookie.name);
  }

  /** Forgets the cookies whose name the test picks, as a user who clears them does. */
  forget(isForgotten: (name: string) => boolean): void {
    for (const [key, cookie] of this.#cookies) if (isForgotten(cookie.name)) this.#cookies.delete(key);
  }

  /** The same cookies in a jar of their own: what someone who copied them holds. */
  copy(): CookieJar {
    const copy = new CookieJar();
    for (const [key, cookie] of this.#cookies) copy.#cookies.set(key, cookie);
    copy.#order = this.#order;
    return copy;
  }
}

export interface BrowserAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** One user's browser on one origin at a time, with keep-alive connections. */
export class Browser {
  /** `http://host:port`; may be changed, the cookies stay. */
  origin: string;
  jar: CookieJar;
  readonly #agent: Agent;
  readonly #timeoutMs: number;

  constructor(origin: string, options: { readonly jar?: CookieJar; readonly timeoutMs?: number } = {}) {
    this.origin = origin;
    this.jar = options.jar ?? new CookieJar();
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#agent = new Agent({
      headersTimeout: this.#timeoutMs,
      bodyTimeout: this.#timeoutMs,
      connectTimeout: this.#timeoutMs,
      // Shorter than any server's, so that no request meets a connection that the server is closing.
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMs,
    });
  }

  /**
   * Loads a page; redirects are followed at the answer's head, as browsers do.
   * @throws Error where the connection failed or the answer was cut.
   */
  async get(path: string): Promise<BrowserAnswer> {
    for (let hops = 0; hops < 10; hops++) {
      const answer = await this.#load('GET', path, undefined);
      const location = answer.headers['location'];
      if (answer.status < 300 || answer.status > 399 || typeof location !== 'string') return answer;
      const target = new URL(location, this.origin + path);
      path = target.pathname + target.search;
    }
    throw new Error(`more than 10 redirects at ${path}`);
  }

  /** Sends a form or another body. Redirects are not followed. */
  post(path: string, body: string | Buffer): Promise<BrowserAnswer> {
    return this.#load('POST', path, body);
  }

  /**
   * The text of a page that must answer 200.
   * @throws Error with status and text otherwise.
   */
  async text(path: string): Promise<string> {
    const answer = await this.get(path);
    if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${answer.text.slice(0, 300)}`);
    return answer.text;
  }

  /** As text(), read as a number. */
  async number(path: string): Promise<number> {
    const text = await this.text(path);
    if (!/^\d+\s/.test(`${text}\n`)) throw new Error(`${path} answered no number: ${text.slice(0, 300)}`);
    return Number.parseInt(text, 10);
  }

  /** Ends its connections. */
  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #load(method: 'GET' | 'POST', path: string, body: string | Buffer | undefined): Promise<BrowserAnswer> {
    const cookie = this.jar.header(path, { secure: this.origin.startsWith('https:') });
    const answer = await request(this.origin + path, {
      method,
      dispatcher: this.#agent,
      headers: {
        'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
        accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
        ...(cookie === undefined ? {} : { cookie }),
        ...(typeof body === 'string' ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
      },
      ...(body === undefined ? {} : { body }),
    });
    const set = answer.headers['set-cookie'];
    this.jar.store(set === undefined ? [] : typeof set === 'string' ? [set] : set, path);
    const redirects = method === 'GET' && answer.statusCode >= 300 && answer.statusCode <= 399;
    if (redirects) answer.body.dump().catch(() => undefined);
    return { status: answer.statusCode, headers: answer.headers, text: redirects ? '' : await answer.body.text() };
  }
}

function readAttributes(attributes: readonly string[], requestPath: string, nowMs: number) {
  let path = defaultPath(requestPath);
  let secure = false;
  let expiresMs: number | undefined;
  let maxAgeMs: number | undefined;
  for (const attribute of attributes) {
    const [name, ...rest] = attribute.split('=');
    const value = rest.join('=').trim();
    switch (name!.trim().toLowerCase()) {
      case 'path':
        path = value.startsWith('/') ? value : defaultPath(requestPath);
        break;
      case 'secure':
        secure = true;
        break;
      case 'expires': {
        // Laravel and PHP write 23-Nov-2026, which browsers read too.
        const dateMs = Date.parse(value.replace(/(\d\d)-(\w{3})-(\d{4})/, '$1 $2 $3'));
        if (!Number.isNaN(dateMs)) expiresMs = dateMs;
        break;
      }
      case 'max-age':
        if (/^-?\d+$/.test(value)) maxAgeMs = nowMs + Number(value) * 1000;
        break;
    }
  }
  return { path, secure, expiresMs: maxAgeMs ?? expiresMs };
}

/** RFC 6265 section 5.1.4. */
function defaultPath(requestPath: string): string {
  const [path] = requestPath.split('?');
  const last = path!.lastIndexOf('/');
  return last <= 0 ? '/' : path!.slice(0, last);
}

function pathMatches(cookiePath: string, requestPath: string): boolean {
  const [path] = requestPath.split('?');
  if (path === cookiePath) return true;
  return path!.startsWith(cookiePath) && (cookiePath.endsWith('/') || path![cookiePath.length] === '/');
}
