/**
 * The attacks: what one attacker does on one connection, and how many of him there are. Each is bounded in
 * connections; attacker.ts bounds the time.
 */

import type { Socket } from 'node:net';

export interface Attack {
  readonly name: string;
  readonly connections: number;
  /** A connection that ended is replaced by a new one. */
  readonly again: boolean;
  /** Seconds of it; 6 where nothing is said. */
  readonly seconds?: number;
  /** Runs once a connection is made. `every`: runs an action at an interval, until the connection ends. */
  readonly attack: (socket: Socket, every: (ms: number, action: () => void) => void) => void;
  /** What the client ought to see of an answer; 'reads': it reads and forgets, 'never': it does not read. */
  readonly answer: 'reads' | 'never';
}

const host = 'Host: a\r\n';
const filler = 'x'.repeat(1000);

/** Writes the piece for as long as somebody takes it. */
function pour(socket: Socket, piece: string): void {
  const go = (): void => {
    while (!socket.destroyed && socket.write(piece, 'latin1'));
  };
  socket.on('drain', go);
  go();
}

export const attacks: readonly Attack[] = [
  {
    name: 'slowloris',
    connections: 10_000,
    again: false,
    seconds: 16,
    answer: 'reads',
    attack(socket, every) {
      socket.write(`GET / HTTP/1.1\r\n${host}X-Slow: `);
      every(2000, () => socket.write('x'));
    },
  },
  {
    name: 'idle connections',
    connections: 10_000,
    again: false,
    seconds: 12,
    answer: 'reads',
    attack: (socket) => void socket.write(`GET / HTTP/1.1\r\n${host}\r\n`),
  },
  {
    name: 'slow readers of 20 MB',
    connections: 200,
    again: false,
    answer: 'never',
    attack: (socket) => void socket.write(`GET /large HTTP/1.1\r\n${host}\r\n`),
  },
  {
    name: 'endless header fields',
    connections: 50,
    again: true,
    answer: 'reads',
    attack(socket) {
      socket.write(`GET / HTTP/1.1\r\n${host}`);
      pour(socket, `X-A: ${filler}\r\n`.repeat(8));
    },
  },
  {
    name: 'many tiny fields',
    connections: 50,
    again: true,
    answer: 'reads',
    attack(socket) {
      socket.write(`GET / HTTP/1.1\r\n${host}`);
      pour(socket, 'a:\r\n'.repeat(2000));
    },
  },
  {
    name: 'chunk extensions',
    connections: 50,
    again: true,
    answer: 'reads',
    attack(socket) {
      socket.write(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n1;`);
      pour(socket, filler.repeat(8));
    },
  },
  {
    name: 'one-byte chunks',
    connections: 20,
    again: true,
    answer: 'reads',
    attack(socket) {
      socket.write(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`);
      pour(socket, '1\r\nx\r\n'.repeat(2000));
    },
  },
  {
    name: 'endless trailers',
    connections: 50,
    again: true,
    answer: 'reads',
    attack(socket) {
      socket.write(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n`);
      pour(socket, `X-A: ${filler}\r\n`.repeat(8));
    },
  },
  {
    name: 'pipelining, unread',
    connections: 50,
    again: false,
    answer: 'never',
    attack: (socket) => pour(socket, `GET / HTTP/1.1\r\n${host}\r\n`.repeat(500)),
  },
  {
    name: '101 that is refused, then pipelining',
    connections: 50,
    again: true,
    answer: 'reads',
    attack(socket) {
      socket.write(`GET / HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: echo\r\n\r\n`);
      pour(socket, filler);
    },
  },
  {
    name: 'tunnels, unread',
    connections: 200,
    again: false,
    answer: 'never',
    attack(socket) {
      socket.write(`GET /upgrade HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: echo\r\n\r\n`);
      pour(socket, filler);
    },
  },
  {
    name: 'upload after the answer',
    connections: 50,
    again: true,
    answer: 'reads',
    attack(socket) {
      socket.write(`POST /early HTTP/1.1\r\n${host}Content-Length: 10000000000\r\n\r\n`);
      pour(socket, filler.repeat(8));
    },
  },
  {
    name: 'reset storm',
    connections: 50,
    again: true,
    answer: 'reads',
    attack: (socket) => void socket.write(`GET / HTTP/1.1\r\n${host}\r\n`, () => socket.resetAndDestroy()),
  },
  { name: 'connection churn', connections: 50, again: true, answer: 'reads', attack: (socket) => socket.destroy() },
  {
    name: 'response splitting by the application',
    connections: 20,
    again: true,
    answer: 'reads',
    attack(socket, every) {
      const ask = (): void => void socket.write(`GET /split HTTP/1.1\r\n${host}\r\n`);
      ask();
      every(20, ask);
    },
  },
  {
    name: 'retry amplification',
    connections: 50,
    again: true,
    answer: 'reads',
    attack(socket, every) {
      const ask = (): void => void socket.write(`GET /reset HTTP/1.1\r\n${host}\r\n`);
      ask();
      every(20, ask);
    },
  },
];
