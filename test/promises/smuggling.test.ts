/**
 * No byte reaches an application that a strict reader would frame differently. The pod here is fooled as easily as
 * any: it takes bare LF for a line end, any Transfer-Encoding that contains "chunked", the last of several
 * Content-Lengths, and names with white space; it writes down every request it believes to have seen.
 */

import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import type { Address } from '../../src/base/address.ts';
import { ProxyUnderTest } from '../support/proxy-under-test.ts';
import { ScriptedPod } from '../support/scripted-peers.ts';
import { ScriptedRole } from '../support/scripted-role.ts';

class GulliblePod {
  readonly seen: string[] = [];
  #text = '';

  take(socket: Socket, bytes: Buffer): void {
    this.#text += bytes.toString('latin1');
    for (;;) {
      const head = /^([^]*?)\r?\n\r?\n/.exec(this.#text);
      if (head === null) return;
      const lines = head[1]!.split(/\r?\n|\r/);
      const rest = this.#text.slice(head[0].length);
      const taken = bodyLength(lines, rest);
      if (taken > rest.length) return;
      this.seen.push(lines[0]!);
      this.#text = rest.slice(taken);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    }
  }
}

function bodyLength(lines: readonly string[], rest: string): number {
  let length = 0;
  for (const line of lines) {
    const field = /^\s*([^:]*?)\s*:\s*(.*?)\s*$/.exec(line);
    const name = field?.[1]?.toLowerCase().replaceAll('_', '-');
    if (name === 'transfer-encoding' && field?.[2]?.toLowerCase().includes('chunked') === true) {
      const end = /(?:^|\n)0+[^\n]*\n(?:[^\n]+\n)*?\r?\n/.exec(rest);
      return end === null ? Infinity : end.index + end[0].length;
    }
    if (name === 'content-length') length = Number.parseInt(field![2]!, 10);
  }
  return length;
}

async function gullible(t: TestContext): Promise<{ pod: GulliblePod; address: Address }> {
  const pod = new GulliblePod();
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => pod.take(socket, bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { pod, address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port } };
}

const hidden = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n';

/** Each is refused before its body, so that the pod sees nothing at all. */
const refused: readonly string[] = [
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${hidden.length}\r\nContent-Length: 0\r\n\r\n${hidden}`,
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n${hidden}`,
  `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${hidden}`,
  `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n${hidden}`,
  `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n${hidden}`,
  `POST / HTTP/1.1\r\nHost: a\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
  `POST / HTTP/1.1\r\nHost: a\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
  `POST / HTTP/1.1\r\nHost: a\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +6\r\n\r\n${hidden}`,
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x6\r\n\r\n${hidden}`,
  `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
  `GET / HTTP/1.1\nHost: a\n\n${hidden}`,
];

for (const stream of refused) {
  test(`refused, and nothing of it reaches the pod: ${JSON.stringify(stream.slice(0, 90))}`, async (t) => {
    const { pod, address } = await gullible(t);
    const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [address] }) });
    const client = await under.client();
    client.send(stream);
    assert.match(await client.takes('\r\n\r\n'), /^HTTP\/1\.1 400 [^]*\r\nConnection: close\r\n/);
    assert.equal(await client.over(), 'fin');
    assert.deepEqual(pod.seen, []);
  });
}

/** Each is legal; the pod must see exactly these requests. */
const passed: readonly [string, readonly string[]][] = [
  [`GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 60\r\n\r\n${hidden}`, ['GET / HTTP/1.1', 'GET /hidden HTTP/1.1']],
  [
    `GET / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n${hidden}`,
    ['GET / HTTP/1.1', 'GET /hidden HTTP/1.1'],
  ],
  [`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`, ['POST / HTTP/1.1']],
  [
    `POST / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
    ['POST / HTTP/1.1'],
  ],
  [
    `POST / HTTP/1.1\r\nHost: a\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n` +
      `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
    ['POST / HTTP/1.1'],
  ],
];

for (const [stream, requests] of passed) {
  test(`legal, and seen by the pod as it was meant: ${JSON.stringify(stream.slice(0, 90))}`, async (t) => {
    const { pod, address } = await gullible(t);
    const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [address] }) });
    const client = await under.client();
    client.send(stream);
    await client.reads('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'.repeat(requests.length));
    await under.quiet();
    assert.deepEqual(pod.seen, requests);
    assert.equal(client.received, '');
  });
}

test('no trailer reaches an application: some read it as a field of the head', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await ProxyUnderTest.start(t, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const client = await under.client();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n');
  const { peer } = await pod.request();
  await peer.reads('1\r\na\r\n0\r\n');
  client.send('X-Real-IP: 1\r\nX-Sum: 1\r\nCookie: PHPSESS');
  client.send('ID=x\r\n\r\n');
  await peer.reads('\r\n');
});
