/**
 * The attacker's process: `node attacker.ts NAME PORT`. Runs one attack for its time from several addresses of
 * 127.0.0.0/8 and says what it did as one line of JSON.
 */

import { connect } from 'node:net';

import { attacks } from './attacks.ts';

/** What the attacker did. */
export interface Told {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly made: number;
  /** Connections that the other side ended. */
  readonly ended: number;
  readonly requests: number;
}

/** Connections that are being made at once. */
const connectingMax = 200;
/** Between a connection's end and the one that replaces it. */
const againMs = 5;

const attack = attacks.find(({ name }) => name === process.argv[2])!;
const port = Number(process.argv[3]);
const told = { sentBytes: 0, receivedBytes: 0, made: 0, ended: 0, requests: 0 };
let started = 0;
let connecting = 0;

function more(): void {
  while (started < attack.connections && connecting < connectingMax) {
    started++;
    connecting++;
    one(started);
  }
}

function one(number: number): void {
  const localAddress = `127.0.${1 + (Math.floor(number / 200) % 200)}.${1 + (number % 200)}`;
  const socket = connect({ host: '127.0.0.1', port, localAddress, noDelay: true });
  let timer: NodeJS.Timeout | undefined;
  let isMade = false;
  socket.on('error', () => undefined);
  socket.on('connect', () => {
    isMade = true;
    connecting--;
    told.made++;
    attack.attack(socket, (ms, action) => {
      timer = setInterval(() => {
        told.requests++;
        action();
      }, ms);
    });
    if (attack.answer === 'reads') socket.on('data', (bytes) => void (told.receivedBytes += bytes.length));
    else socket.pause();
    more();
  });
  socket.on('end', () => told.ended++);
  socket.on('close', () => {
    if (!isMade) connecting--;
    clearInterval(timer);
    told.sentBytes += socket.bytesWritten;
    open.delete(socket);
    if (attack.again) setTimeout(() => one(number), againMs);
    else more();
  });
  open.add(socket);
}

const open = new Set<ReturnType<typeof connect>>();
more();
setTimeout(
  () => {
    for (const socket of open) told.sentBytes += socket.bytesWritten - socket.writableLength;
    process.stdout.write(`${JSON.stringify(told)}\n`);
    process.exit(0);
  },
  (attack.seconds ?? 6) * 1000,
);
