/**
 * The application behind the keeper's measurement: answers 1 KB, and keeps a session file as PHP names it. `/read`
 * leaves the file alone, `/write` changes it, at about the cost of a file write and nothing else.
 *
 * Must not know that anybody watches the directory. Arguments: port, directory.
 */

import { closeSync, existsSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const [port, directory] = process.argv.slice(2) as [string, string];
const body = 'Holdfast! '.repeat(103).slice(0, 1024);
/** A cart's worth of session; the count stands at its end and has always as many digits. */
const padding = `cart|s:1000:"${'x'.repeat(1000)}";count|i:`;
const counts = new Map<string, number>();

createServer((request, response) => {
  const id = /PHPSESSID=([a-z0-9]{26})/.exec(request.headers.cookie ?? '')?.[1];
  if (id !== undefined) {
    const file = join(directory, `sess_${id}`);
    const count = (counts.get(id) ?? 1_000_000) + 1;
    if (!existsSync(file)) writeFileSync(file, `${padding}${count};`, { mode: 0o600 });
    else if (request.url === '/write') overwrite(file, `${padding}${count};`);
    counts.set(id, count);
  }
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length });
  response.end(body);
}).listen(Number(port), '127.0.0.1');

/** In place and in one system call, so that no reader sees a part of it. */
function overwrite(file: string, text: string): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, text, 0);
  closeSync(descriptor);
}
