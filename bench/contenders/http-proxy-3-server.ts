/** The http-proxy-3 contender's process: PORT COOKIE BACKEND-PORT... */

import { Agent, createServer, ServerResponse } from 'node:http';
import { createProxyServer } from 'http-proxy-3';

const [port, cookie, ...ports] = process.argv.slice(2);
const sessionOf = new RegExp(`(?:^|; )${cookie!}=([^;]*)`);
const proxy = createProxyServer({ agent: new Agent({ keepAlive: true, maxSockets: 256 }), xfwd: true });
const targets = ports.map((backend) => `http://127.0.0.1:${backend}`);

proxy.on('error', (_error, _request, response) => {
  if (response instanceof ServerResponse) response.writeHead(502).end();
});
createServer((request, response) => {
  const session = sessionOf.exec(request.headers.cookie ?? '')?.[1] ?? String(Math.random());
  proxy.web(request, response, { target: targets[hash(session) % targets.length]! });
}).listen(Number(port), '127.0.0.1');

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
}
