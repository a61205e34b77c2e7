/**
 * The clients that read what Holdfast answers: each asks for every case, and for a marker behind it, on the same
 * connection where that is left open.
 *
 * Must not know what the cases are, nor what is right.
 */

import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client as UndiciClient } from 'undici';
import { findProgram } from '../support/processes.ts';
import { strictResponses } from '../support/strict-reader.ts';

/** What a client made of one answer. */
export interface Got {
  /** 0: no head was taken. */
  readonly status: number;
  /** latin1. */
  readonly body: string;
  /** The client takes it for all of the answer. */
  readonly complete: boolean;
  /** Nothing at all may follow on the connection, as it says. */
  readonly closes?: boolean;
  /** Why not, for people. */
  readonly error?: string;
}

export interface Gotten {
  readonly case: Got;
  /** Undefined: the connection ended before it. */
  readonly marker: Got | undefined;
}

type Wanted = Asking['wanted'][number];

export interface Asking {
  readonly port: number;
  readonly wanted: readonly { readonly index: number; readonly method: 'GET' | 'HEAD' }[];
  /** An empty one. */
  readonly folder: string;
}

export interface ResponseReader {
  readonly name: string;
  /** It judges the bytes themselves: what it can't take is refused by us. */
  readonly isStrict?: boolean;
  /**
   * What it is not shown behind interim answers. 'all': those other than 100 are final ones to it (against RFC 9110 section
   * 15.2). 'cuts': it sees a cut there only when its own timeout is over.
   */
  readonly missesBehindInterim?: 'all' | 'cuts';
  /** In front of it stands this proxy, which asks Holdfast. */
  readonly behind?: 'nginx' | 'haproxy';
  readonly ask: (asking: Asking) => Promise<Gotten[]>;
}

const atOnce = 8;
/** More than enough on a busy machine: what takes longer hangs. */
const answerMsMax = 60_000;
const outputBytesMax = 64 << 20;
const cut = { body: '', complete: false } as const;

async function each(wanted: readonly Wanted[], one: (entry: Wanted) => Promise<Gotten>): Promise<Gotten[]> {
  const gotten = new Array<Gotten>(wanted.length);
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let at = next++; at < wanted.length; at = next++) gotten[at] = await one(wanted[at]!);
    }),
  );
  return gotten;
}

export const responseReaders: readonly ResponseReader[] = [
  {
    name: 'strict',
    isStrict: true,
    ask: ({ port, wanted }) => each(wanted, (entry) => raw(port, entry, 1)),
  },
  {
    name: 'strict-1.0',
    isStrict: true,
    ask: ({ port, wanted }) => each(wanted, (entry) => raw(port, entry, 0)),
  },
  { name: 'node:http', ask: (asking) => byNode(asking, 'node:http') },
  { name: 'undici', ask: byUndici },
  { name: 'curl', ask: byCurl },
  { name: 'http.client', missesBehindInterim: 'all', ask: byPython },
  { name: 'nginx', behind: 'nginx', missesBehindInterim: 'all', ask: (asking) => byNode(asking, 'nginx') },
  { name: 'haproxy', behind: 'haproxy', missesBehindInterim: 'cuts', ask: (asking) => byNode(asking, 'haproxy') },
];

/** Sends both requests at once, and reads all bytes until the connection ends. */
function raw(port: number, { index, method }: Wanted, minor: 0 | 1): Promise<Gotten> {
  const name = minor === 1 ? 'strict' : 'strict-1.0';
  const first = `${method} /case/${name}/${index} HTTP/1.${minor}\r\nHost: a\r\n\r\n`;
  const second = `GET /marker/${name}/${index} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let answered = '';
    let wasReset = false;
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`case ${index} was not answered to its end: ${answered}`));
    }, answerMsMax);
    socket.setEncoding('latin1').on('data', (text: string) => {
      answered += text;
    });
    socket.on('error', () => {
      wasReset = true;
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(strictly(answered, { method, wasReset, minor }));
    });
    socket.write(minor === 1 ? first + second : first);
  });
}

function strictly(
  answered: string,
  { method, wasReset, minor }: { readonly method: string; readonly wasReset: boolean; readonly minor: 0 | 1 },
): Gotten {
  const { messages, verdict, why, surplus } = strictResponses(answered, { method });
  const last = messages.at(-1);
  if (verdict === 'refused') return { case: { ...cut, status: 0, error: `malformed: ${why}` }, marker: undefined };
  if (last === undefined || last.status < 200) return { case: { ...cut, status: 0 }, marker: undefined };
  const complete = last.framing === 'close' ? !wasReset : last.complete;
  const misframed = minor === 0 && (last.framing === 'chunked' || messages.length > 1);
  const error = misframed ? { error: 'malformed: not for HTTP/1.0' } : {};
  const got: Got = { status: last.status, body: last.body, complete, closes: !last.keepAlive, ...error };
  if (surplus === 0) return { case: got, marker: undefined };
  const rest = strictResponses(answered.slice(answered.length - surplus), { method: 'GET' });
  const marker = rest.messages.at(-1);
  return {
    case: got,
    marker:
      marker === undefined || rest.surplus > 0
        ? { ...cut, status: 0, error: `malformed: ${answered.slice(-surplus)}` }
        : { status: marker.status, body: marker.body, complete: marker.complete },
  };
}

async function byNode({ port, wanted }: Asking, name: string): Promise<Gotten[]> {
  return each(wanted, async ({ index, method }) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      return {
        case: await nodeAsks(agent, port, { method, path: `/case/${name}/${index}` }),
        marker: await nodeAsks(agent, port, { method: 'GET', path: `/marker/${name}/${index}` }),
      };
    } finally {
      agent.destroy();
    }
  });
}

function nodeAsks(agent: Agent, port: number, what: { readonly method: string; readonly path: string }): Promise<Got> {
  return new Promise((resolve) => {
    const request = httpRequest({ agent, port, host: '127.0.0.1', timeout: answerMsMax, ...what }, (response) => {
      let body = '';
      const status = response.statusCode ?? 0;
      response.setEncoding('latin1').on('data', (text: string) => {
        body += text;
      });
      response.on('error', () => undefined);
      response.on('close', () => resolve({ status, body, complete: response.complete }));
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', ({ message }) => resolve({ ...cut, status: 0, error: message }));
    request.end();
  });
}

async function byUndici({ port, wanted }: Asking): Promise<Gotten[]> {
  return each(wanted, async ({ index, method }) => {
    const client = new UndiciClient(`http://127.0.0.1:${port}`);
    try {
      return {
        case: await undiciAsks(client, method, `/case/undici/${index}`),
        marker: await undiciAsks(client, 'GET', `/marker/undici/${index}`),
      };
    } finally {
      await client.destroy();
    }
  });
}

async function undiciAsks(client: UndiciClient, method: 'GET' | 'HEAD', path: string): Promise<Got> {
  let status = 0;
  try {
    const answer = await client.request({ method, path });
    status = answer.statusCode;
    const body = Buffer.from(await answer.body.arrayBuffer()).toString('latin1');
    return { status, body, complete: true };
  } catch (error) {
    return { ...cut, status, error: (error as Error).message };
  }
}

/** One process for all, one transfer after the other. */
async function byCurl({ port, wanted, folder }: Asking): Promise<Gotten[]> {
  const transfers = wanted.flatMap(({ index, method }) =>
    (['case', 'marker'] as const).map((kind) => ({
      path: `/${kind}/curl/${index}`,
      file: join(folder, `${kind}-${index}`),
      head: kind === 'case' && method === 'HEAD',
    })),
  );
  const text = transfers.map(({ path, file, head }) =>
    [
      `url = "http://127.0.0.1:${port}${path}"`,
      `output = "${file}"`,
      'silent',
      'noproxy = "*"',
      ...(head ? ['head'] : []),
      `max-time = ${answerMsMax / 1000}`,
      'write-out = "%{http_code} %{exitcode}\\n"',
    ].join('\n'),
  );
  const configuration = join(folder, 'curl.txt');
  writeFileSync(configuration, text.join('\nnext\n'));
  const { stdout } = await promisify(execFile)(findProgram('curl'), ['-q', '--config', configuration], {
    maxBuffer: outputBytesMax,
  });
  const got = stdout
    .split('\n')
    .slice(0, transfers.length)
    .map((line, at): Got => {
      const [status = 0, code = 0] = line.split(' ').map(Number);
      const { file, head } = transfers[at]!;
      const body = !head && existsSync(file) ? readFileSync(file, 'latin1') : '';
      return { status, body, complete: code === 0, ...(code === 0 ? {} : { error: `curl ${code}` }) };
    });
  return wanted.map((_, at) => ({ case: got[2 * at]!, marker: got[2 * at + 1]! }));
}

async function byPython({ port, wanted }: Asking): Promise<Gotten[]> {
  const script = join(import.meta.dirname, 'applications/client.py');
  const words = wanted.map(({ index, method }) => `${index}:${method}`).join(',');
  const { stdout } = await promisify(execFile)('/usr/bin/python3', [script, String(port), words], {
    maxBuffer: outputBytesMax,
    env: { PYTHONDONTWRITEBYTECODE: '1' },
  });
  const read = (got: Got): Got => ({ ...got, body: Buffer.from(got.body, 'hex').toString('latin1') });
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const gotten = JSON.parse(line) as { case: Got; marker: Got };
      return { case: read(gotten.case), marker: read(gotten.marker) };
    });
}
