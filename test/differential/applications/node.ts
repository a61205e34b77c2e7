/**
 * Notes what node:http saw of a request in a file of lines, everything in hexadecimal, and answers with nothing:
 * `node node.ts PORT`, with the file in $SEEN.
 */

import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';

const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');

const server = createServer({ insecureHTTPParser: false, maxHeaderSize: 65_536 }, (request, response) => {
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    const { rawHeaders } = request;
    const fields: [string, string][] = [];
    for (let at = 0; at < rawHeaders.length; at += 2) fields.push([hex(rawHeaders[at]!), hex(rawHeaders[at + 1]!)]);
    const { method = '', url = '' } = request;
    const seen = { method: hex(method), target: hex(url), fields, body: Buffer.concat(pieces).toString('hex') };
    appendFileSync(process.env['SEEN']!, `${JSON.stringify(seen)}\n`);
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': '4' }).end('seen');
  });
});
server.listen(Number(process.argv[2]), '127.0.0.1');
