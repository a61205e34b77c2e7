/**
 * A body of any size passes at flat memory, and a slow peer stops the fast one. 256 MB here, for the time of a test
 * run; nothing on the path depends on the size.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { test, type TestContext } from 'node:test';

import { until } from '../support/until.ts';

const total = 256 * 1024 * 1024;
const piece = Buffer.from(Uint8Array.from({ length: 256 * 1024 }, (_, at) => at % 251));
/** The path's own buffers are some 100 KB a connection; the rest is what the collector has not taken away yet. */
const growthMax = 128 * 1024 * 1024;

/** The data path alone in a process of its own, so that its memory is nobody else's. */
async function proxyProcess(t: TestContext, podPort: number): Promise<{ port: number; rss: () => number }> {
  const program = fileURLToPath(new URL('../support/lone-proxy.ts', import.meta.url));
  const child = spawn(process.execPath, [program, String(podPort)], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const rss = (): number => {
    const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'));
    return Number(found?.[1]) * 1024;
  };
  return { port: Number(line.toString()), rss };
}

/** A pod that handles each connection with `serve`. */
async function pod(t: TestContext, serve: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** Writes `total` bytes as fast as they are taken, then calls `done`. @returns how many were handed over so far */
function pour(socket: Socket, done: () => unknown = () => undefined): () => number {
  let poured = 0;
  const on = (): void => {
    while (poured < total) {
      poured += piece.length;
      const room = socket.write(piece);
      if (poured >= total) done();
      if (!room) return;
    }
  };
  socket.on('drain', on);
  on();
  return () => poured;
}

function client(t: TestContext, port: number): Socket {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  return socket;
}

/** Takes a body that pour() wrote behind a head without chunks. @returns the bytes taken, all as they were written */
function taken(socket: Socket): () => number {
  let head = '';
  let body = -1;
  socket.on('data', (bytes: Buffer) => {
    let from = 0;
    if (body === -1) {
      const before = head.length;
      head += bytes.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return;
      from = end + 4 - before;
      body = 0;
    }
    while (from < bytes.length) {
      const at = body % piece.length;
      const length = Math.min(bytes.length - from, piece.length - at);
      assert.equal(bytes.compare(piece, at, at + length, from, from + length), 0, `bytes around ${body} are others`);
      body += length;
      from += length;
    }
  });
  return () => body;
}

/** Samples memory while the transfer runs. */
async function peak(rss: () => number, done: () => boolean): Promise<number> {
  let highest = 0;
  await until(
    'the whole body has arrived',
    () => {
      highest = Math.max(highest, rss());
      return done();
    },
    { deadlineMs: 120_000 },
  );
  return highest;
}

for (const framing of ['Content-Length', 'chunked', 'until the connection ends'] as const) {
  test(`a large answer passes at flat memory: ${framing}`, async (t) => {
    const podPort = await pod(t, (socket) => {
      socket.once('data', () => {
        if (framing === 'chunked') {
          socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${total.toString(16)}\r\n`);
        } else socket.write(`HTTP/1.1 200 OK\r\n${framing === 'Content-Length' ? `${framing}: ${total}\r\n` : ''}\r\n`);
        pour(socket, () => framing === 'until the connection ends' && socket.end());
      });
    });
    const { port, rss } = await proxyProcess(t, podPort);
    const before = rss();
    const socket = client(t, port);
    let received = 0;
    socket.on('data', (bytes: Buffer) => (received += bytes.length));
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const highest = await peak(rss, () => received >= total);
    assert.ok(highest - before < growthMax, `grew by ${highest - before} bytes`);
  });
}

test('a large upload passes at flat memory', async (t) => {
  let received = 0;
  const podPort = await pod(t, (socket) => socket.on('data', (bytes: Buffer) => (received += bytes.length)));
  const { port, rss } = await proxyProcess(t, podPort);
  const before = rss();
  const socket = client(t, port);
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${total}\r\n\r\n`);
  pour(socket);
  const highest = await peak(rss, () => received >= total);
  assert.ok(highest - before < growthMax, `grew by ${highest - before} bytes`);
});

test('a client that does not read stops the pod, and nothing piles up in between', async (t) => {
  let poured = (): number => 0;
  const podPort = await pod(t, (socket) => {
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
      poured = pour(socket);
    });
  });
  const { port, rss } = await proxyProcess(t, podPort);
  const before = rss();
  const socket = client(t, port);
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  let last = -1;
  let still = 0;
  await until('the pod is stopped', () => {
    still = poured() === last && poured() > 0 ? still + 1 : 0;
    last = poured();
    return still === 20;
  });
  assert.ok(last < total / 4, `the pod could write ${last} bytes`);
  assert.ok(rss() - before < growthMax);
  const body = taken(socket);
  socket.resume();
  await peak(rss, () => body() === total);
});

test('a pod that does not read stops the client, and nothing piles up in between', async (t) => {
  let atPod: Socket | undefined;
  let received = 0;
  const podPort = await pod(t, (socket) => {
    socket.pause();
    atPod = socket;
  });
  const { port, rss } = await proxyProcess(t, podPort);
  const before = rss();
  const socket = client(t, port);
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${total}\r\n\r\n`);
  const poured = pour(socket);
  let last = -1;
  let still = 0;
  await until('the client is stopped', () => {
    still = poured() === last && atPod !== undefined ? still + 1 : 0;
    last = poured();
    return still === 20;
  });
  assert.ok(last < total / 4, `the client could write ${last} bytes`);
  assert.ok(rss() - before < growthMax);
  atPod!.on('data', (bytes: Buffer) => (received += bytes.length));
  atPod!.resume();
  await peak(rss, () => received >= total);
});
