/**
 * The application behind the attacked gateway, by raw sockets so that it may misbehave: `node application.ts PORT`.
 * Paths: /large (20 MB), /split (an answer with a line end in a field), /reset (ends the connection under the request
 * that follows one that was answered), /upgrade (101, then echo), /early (answers an upload it never reads); else 200.
 * /count answers how many requests it has seen on /reset.
 */

import { createServer, type Socket } from 'node:net';

const ok = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok';
const large = Buffer.alloc(20 * 1024 * 1024, 'x');
let resets = 0;

createServer((socket) => {
  let served = 0;
  let text = '';
  let isTunnel = false;
  socket.on('error', () => undefined);
  socket.on('data', (bytes: Buffer) => {
    if (isTunnel) {
      socket.write(bytes);
      return;
    }
    text += bytes.toString('latin1');
    for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
      const [, method = '', path = ''] = /^(\S+) (\S+)/.exec(text) ?? [];
      text = text.slice(end + 4);
      served++;
      isTunnel = answer(socket, { method, path, served });
      // A body that nobody reads.
      if (method === 'POST') {
        socket.pause();
        return;
      }
      if (isTunnel) return;
    }
  });
}).listen(Number(process.argv[2]), '127.0.0.1');

function answer(
  socket: Socket,
  { method, path, served }: { readonly method: string; readonly path: string; readonly served: number },
): boolean {
  if (path === '/large') {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${large.length}\r\n\r\n`);
    socket.write(large);
  } else if (path === '/split') {
    socket.write('HTTP/1.1 200 OK\r\nX-Name: a\nSet-Cookie: b=c\r\nContent-Length: 2\r\n\r\nok');
  } else if (path === '/reset') {
    resets++;
    if (served > 1) socket.resetAndDestroy();
    else socket.write(ok);
  } else if (path === '/upgrade') {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    return true;
  } else if (path === '/count') {
    const body = String(resets);
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  } else if (method !== 'POST' || path === '/early') {
    socket.write(ok);
  }
  return false;
}
