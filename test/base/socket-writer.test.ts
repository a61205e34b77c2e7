/** Small texts wait for the end of the event loop's turn; none is left behind, and none is overtaken. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { SocketWriter } from '../../src/base/socket-writer.ts';
import { Peer } from '../support/scripted-peers.ts';

/** Both ends of as many connections. */
async function connections(t: TestContext, count: number): Promise<{ near: Socket; far: Peer }[]> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const pairs: { near: Socket; far: Peer }[] = [];
  for (let index = 0; index < count; index++) {
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const near = connect(port, '127.0.0.1');
    const [[far]] = await Promise.all([accepted, once(near, 'connect')]);
    pairs.push({ near, far: new Peer(far) });
    t.after(() => void near.destroy());
  }
  server.close();
  return pairs;
}

test('the texts of one turn all leave, however many sockets have one', async (t) => {
  const pairs = await connections(t, 150);
  for (const [index, { near }] of pairs.entries()) new SocketWriter(near).write(`text ${index};`);
  for (const [index, { far }] of pairs.entries()) await far.reads(`text ${index};`);
});

test('what one socket is given in a turn leaves in its order: texts, heads and Buffers', async (t) => {
  const [{ near, far }] = (await connections(t, 1)) as [{ near: Socket; far: Peer }];
  const writer = new SocketWriter(near);
  const large = Buffer.alloc(20_000, 'L');
  writer.write('one ');
  writer.writeWithHead('two ', []);
  writer.writeWithHead('three ', [Buffer.from('joined ')]);
  writer.writeWithHead('four ', [large]);
  writer.write('five ');
  writer.write(Buffer.from('six '));
  writer.write('seven ');
  writer.writePieces([Buffer.from('eight '), Buffer.from('nine ')]);
  writer.write('ten');
  await far.reads(`one two three joined four ${large.toString()}five six seven eight nine ten`);
});

test('a text is what it was when it was given, whatever becomes of the memory it was read into', async (t) => {
  const [{ near, far }] = (await connections(t, 1)) as [{ near: Socket; far: Peer }];
  const memory = Buffer.from('read');
  new SocketWriter(near).writeWithHead('head ', [memory]);
  memory.fill('x');
  await far.reads('head read');
});

test('what waits is written before a FIN, and not at all once it was dropped', async (t) => {
  const [kept, dropped] = (await connections(t, 2)) as { near: Socket; far: Peer }[];
  const writer = new SocketWriter(kept!.near);
  writer.write('last words');
  assert.ok(writer.waits);
  writer.flush();
  assert.ok(!writer.waits);
  kept!.near.end();
  await kept!.far.reads('last words');
  assert.equal(await kept!.far.over(), 'fin');
  const other = new SocketWriter(dropped!.near);
  other.write('nothing');
  other.drop();
  other.write('something');
  await dropped!.far.reads('something');
});
