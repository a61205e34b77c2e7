/**
 * An application whose requests stop where a test wants them to: between reading a session and writing it, with the
 * session's lock held, or in the middle of an event stream. A request with `?gate=NAME` waits there until somebody asks
 * the application itself, past every proxy, for `/open/NAME`; `/waits/NAME` says whether one waits. As in Laravel, a
 * session is read and written under its lock, and the lock is not held in between; only `/locked` holds it, as PHP does.
 *
 * Run by deployments under test: PORT=8000 SESSIONS=./sessions node gated-application.ts. Must not know Holdfast beyond
 * its way to call flock(2), which Node does not have.
 */

import { randomBytes } from 'node:crypto';
import { closeSync, constants, ftruncateSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { tryLock } from '../../src/sessions/file-lock.ts';

interface Gate {
  waits: boolean;
  readonly opened: PromiseWithResolvers<undefined>;
}

const directory = process.env['SESSIONS'] ?? './sessions';
const port = Number(process.env['PORT'] ?? 8000);
const gates = new Map<string, Gate>();

createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://application');
  answer(url, request.headers.cookie ?? '', response).catch((error: unknown) => {
    console.error(error);
    response.destroy();
  });
}).listen(port, '127.0.0.1');

async function answer(url: URL, cookie: string, response: ServerResponse): Promise<void> {
  const text = control(url) ?? (await page(url, { cookie, response }));
  if (!response.headersSent) response.setHeader('content-type', 'text/plain');
  response.end(text);
}

/** What a test says and asks. */
function control(url: URL): string | undefined {
  const [, route, name = ''] = url.pathname.split('/');
  if (route === 'open') gate(name).opened.resolve(undefined);
  if (route === 'open' || route === 'waits') return String(gate(name).waits);
  return route === 'who' ? `${process.pid} ${port}` : undefined;
}

/** The text of a page, or the end of it. */
async function page(url: URL, visit: { cookie: string; response: ServerResponse }): Promise<string> {
  const { response } = visit;
  const given = /(?:^|; )sid=(\w{8,64})/.exec(visit.cookie)?.[1];
  const id = given ?? randomBytes(16).toString('hex');
  if (given === undefined) response.setHeader('Set-Cookie', `sid=${id}; Path=/; HttpOnly`);
  const by = Number(url.searchParams.get('by') ?? 1);
  switch (url.pathname) {
    case '/inc': {
      const number = (await read(id)) + by;
      await waitAt(url);
      await write(id, number);
      return String(number);
    }
    case '/locked': {
      const fd = await openLocked(id, 'exclusive');
      const number = numberIn(fd) + by;
      await waitAt(url);
      overwrite(fd, number);
      closeSync(fd);
      return String(number);
    }
    case '/get':
      return String(await read(id));
    case '/about':
      return 'a page that needs no session';
    case '/logout':
      remove(id);
      response.setHeader('Set-Cookie', 'sid=; Path=/; Max-Age=0');
      return 'bye';
    case '/login': {
      const fresh = randomBytes(16).toString('hex');
      const number = (await read(id)) + by;
      await write(fresh, number);
      remove(id);
      response.setHeader('Set-Cookie', `sid=${fresh}; Path=/; HttpOnly`);
      return String(number);
    }
    case '/events': {
      const number = (await read(id)) + by;
      await write(id, number);
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`data: ${number}\n\n`);
      await waitAt(url);
      return 'data: last\n\n';
    }
    default:
      response.statusCode = 404;
      return 'Not found';
  }
}

function gate(name: string): Gate {
  let found = gates.get(name);
  if (found === undefined) {
    found = { waits: false, opened: Promise.withResolvers<undefined>() };
    gates.set(name, found);
  }
  return found;
}

async function waitAt(url: URL): Promise<void> {
  const name = url.searchParams.get('gate');
  if (name === null) return;
  const entered = gate(name);
  entered.waits = true;
  await entered.opened.promise;
}

async function read(id: string): Promise<number> {
  const fd = await openLocked(id, 'shared').catch(() => undefined);
  if (fd === undefined) return 0;
  const number = numberIn(fd);
  closeSync(fd);
  return number;
}

async function write(id: string, number: number): Promise<void> {
  const fd = await openLocked(id, 'exclusive');
  overwrite(fd, number);
  closeSync(fd);
}

/** @throws Error where it is to be read and is not there. */
async function openLocked(id: string, kind: 'shared' | 'exclusive'): Promise<number> {
  const flags = kind === 'shared' ? constants.O_RDONLY : constants.O_RDWR | constants.O_CREAT;
  const fd = openSync(join(directory, id), flags, 0o600);
  while (!tryLock(fd, kind)) await new Promise((resolve) => setTimeout(resolve, 2));
  return fd;
}

function numberIn(fd: number): number {
  return Number(readFileSync(fd, 'utf8') || 0);
}

function overwrite(fd: number, number: number): void {
  ftruncateSync(fd);
  writeSync(fd, String(number), 0);
}

function remove(id: string): void {
  try {
    unlinkSync(join(directory, id));
  } catch {
    // It was not there.
  }
}
