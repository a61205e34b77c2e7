/**
 * What the window answers: one function from a request to an answer. Who may ask is decided first.
 *
 * Without a token, TCP is on loopback and the Host has to say so: a page in a browser on the same machine can
 * send requests here under a name of its own (DNS rebinding), but not with our Host. Changes come by POST with
 * JSON only, which no page can send across origins without asking first.
 *
 * Must not know sockets.
 */

import { timingSafeEqual, createHash } from 'node:crypto';
import type { Log, LogLevel } from '../base/log.ts';
import { logLevels } from '../base/log.ts';
import type { MetricsPage } from '../base/metrics.ts';
import { pagePolicy, statusPage } from './status-page.ts';
import type { Condition, Window } from './window.ts';

export interface AdminSubject {
  readonly window: Window;
  readonly metrics: MetricsPage;
  readonly log: Log;
  /** Everything, or only the four pages of the probes. */
  readonly full: boolean;
  /** By a Unix socket, whose permissions have decided who may ask. */
  readonly local: boolean;
  readonly token: string | undefined;
}

export interface AdminRequest {
  readonly method: string;
  /** Origin-form, with its query. */
  readonly target: string;
  readonly host: string | undefined;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  readonly body: string;
}

export interface AdminAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly fields?: Readonly<Record<string, string>>;
}

const idCharactersMax = 4096;
const probePaths = new Set(['/startz', '/livez', '/readyz']);

/** Never rejects: a fault of a window's own is a 500 and a line in the log. */
export async function answer(subject: AdminSubject, request: AdminRequest): Promise<AdminAnswer> {
  try {
    const path = request.target.split('?', 1)[0] ?? '/';
    const refused = refusal(subject, path, request);
    if (refused !== undefined) return refused;
    return request.method === 'POST' ? await change(subject, path, request.body) : await show(subject, path);
  } catch (error) {
    subject.log.error({ error }, 'the admin window failed');
    return problem(500, 'a fault of this process; its log says more');
  }
}

function refusal(subject: AdminSubject, path: string, request: AdminRequest): AdminAnswer | undefined {
  const { method } = request;
  if (method !== 'GET' && method !== 'HEAD' && !(method === 'POST' && subject.full)) {
    return { ...problem(405, 'only GET, HEAD and, for changes, POST'), fields: { allow: 'GET, HEAD, POST' } };
  }
  // The kubelet's probes bring no token and call the pod by its address.
  if (!subject.full || subject.local || (method !== 'POST' && probePaths.has(path))) return jsonOnly(request);
  if (subject.token !== undefined) {
    if (!bears(request.authorization, subject.token)) {
      return {
        ...problem(401, 'Authorization: Bearer and the adminToken are needed'),
        fields: { 'www-authenticate': 'Bearer' },
      };
    }
  } else if (!isLoopbackHost(request.host)) {
    return problem(403, 'without an adminToken only a loopback Host is answered');
  }
  return jsonOnly(request);
}

function jsonOnly(request: AdminRequest): AdminAnswer | undefined {
  if (request.method !== 'POST') return undefined;
  const type = request.contentType?.split(';', 1)[0]?.trim().toLowerCase();
  return type === 'application/json' ? undefined : problem(415, 'changes need Content-Type: application/json');
}

function bears(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  // Digests have one length, so that the comparison says nothing about the token's.
  return given !== undefined && timingSafeEqual(sha256(given), sha256(token));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function isLoopbackHost(host: string | undefined): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i.test(host ?? '');
}

async function show(subject: AdminSubject, path: string): Promise<AdminAnswer> {
  const { window, metrics } = subject;
  if (path === '/livez') return text(200, 'alive');
  if (path !== '/metrics') await window.refresh?.();
  if (path === '/startz') return condition(window.started(), 'started');
  if (path === '/readyz') return condition(window.ready(), 'ready');
  if (path === '/metrics') return { status: 200, type: metrics.contentType, body: await metrics.text() };
  if (subject.full) {
    if (path === '/') return page(window);
    if (path === '/pods') return json(200, { pods: window.pods(), source: window.source?.() });
    if (path === '/reload' && window.reload !== undefined) return json(200, window.reload.last());
    if (path.startsWith('/sessions/')) return session(window, path.slice('/sessions/'.length));
  }
  return problem(404, 'no such page');
}

function page(window: Window): AdminAnswer {
  const { title } = window;
  const body = statusPage({ title, ready: window.ready(), pods: window.pods(), figures: window.figures() });
  return { status: 200, type: 'text/html; charset=utf-8', body, fields: { 'content-security-policy': pagePolicy } };
}

async function session(window: Window, encoded: string): Promise<AdminAnswer> {
  const id = decoded(encoded);
  if (id === undefined || id === '' || id.length > idCharactersMax) return problem(400, 'that is no session id');
  const view = await window.session(id);
  return view === undefined ? problem(404, 'nobody knows this session') : json(200, view);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

async function change({ window, log }: AdminSubject, path: string, body: string): Promise<AdminAnswer> {
  if (path === '/drain') {
    const unready = readUnready(body);
    if (unready === undefined) return problem(400, 'the body has to be empty, {} or {"unready": true}');
    log.info({ unready }, 'a drain was asked for');
    await window.drain({ unready });
    return json(200, { drained: true });
  }
  if (path === '/reload' && window.reload !== undefined) {
    const view = await window.reload.now();
    return json(view.result === 'applied' ? 200 : 422, view);
  }
  if (path !== '/log') return problem(404, 'no such page');
  const level = readLevel(body);
  if (level === undefined) return problem(400, `the body has to be {"level": "..."}, one of ${logLevels.join(', ')}`);
  log.info({ level }, 'the log level was changed');
  log.level = level;
  window.setLevel?.(level);
  return json(200, { level });
}

function readUnready(body: string): boolean | undefined {
  if (body === '') return false;
  try {
    const given: unknown = JSON.parse(body);
    if (typeof given !== 'object' || given === null) return undefined;
    if (!('unready' in given)) return false;
    return typeof given.unready === 'boolean' ? given.unready : undefined;
  } catch {
    return undefined;
  }
}

function readLevel(body: string): LogLevel | undefined {
  try {
    const given: unknown = JSON.parse(body);
    if (typeof given !== 'object' || given === null || !('level' in given)) return undefined;
    return logLevels.find((level) => level === given.level);
  } catch {
    return undefined;
  }
}

function condition({ ok, reason }: Condition, word: string): AdminAnswer {
  return text(ok ? 200 : 503, `${ok ? word : `not ${word}`}: ${reason}`);
}

function text(status: number, words: string): AdminAnswer {
  return { status, type: 'text/plain; charset=utf-8', body: `${words}\n` };
}

function json(status: number, value: unknown): AdminAnswer {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

function problem(status: number, error: string): AdminAnswer {
  return json(status, { error });
}
