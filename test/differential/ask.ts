/**
 * Sends one case's bytes on a connection of its own, each from its own loopback address, so that it can be told by
 * X-Forwarded-For what came of which case; reads until the connection ends.
 */

import { connect } from 'node:net';

export interface Case {
  readonly id: string;
  /** The sends of the connection. */
  readonly pieces: readonly Buffer[];
}

/** More than enough on a busy machine: what takes longer hangs. */
const answerMsMax = 60_000;

/** The loopback address of case `index`. */
export function addressOf(index: number): string {
  return `127.${1 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
}

/**
 * @returns everything that was answered, latin1
 * @throws Error where the connection does not end
 */
export function ask(port: number, { id, pieces }: Case, localAddress: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true, allowHalfOpen: true });
    let answered = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`${id} was not answered to its end: ${answered}`));
    }, answerMsMax);
    socket.setEncoding('latin1').on('data', (text: string) => {
      answered += text;
    });
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answered);
    });
    socket.once('connect', () => send(0));
    function send(index: number): void {
      if (socket.destroyed || !socket.writable) return;
      if (index === pieces.length) socket.end();
      // The next piece in a turn of its own, so that it is a read of its own at the other end, mostly.
      else socket.write(pieces[index]!, () => setImmediate(() => send(index + 1)));
    }
  });
}

/** Asks all cases, `atOnce` at a time; what each was answered, in their order. */
export async function askAll(port: number, cases: readonly Case[], atOnce: number): Promise<string[]> {
  const answers: string[] = new Array<string>(cases.length).fill('');
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let index = next++; index < cases.length; index = next++) {
        answers[index] = await ask(port, cases[index]!, addressOf(index));
      }
    }),
  );
  return answers;
}
