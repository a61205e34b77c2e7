/** The source by a name, before a name server that answers as the test says. */

import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';

import { createLog } from '../../src/base/log.ts';
import type { ListedPod } from '../../src/pods/pod-set.ts';
import { DnsSource } from '../../src/pods/source-dns.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

type Answer =
  'NXDOMAIN' | 'SERVFAIL' | 'nothing' | { readonly A?: readonly string[]; readonly AAAA?: readonly string[] };

const ttlSeconds = 5;
const codes = { NXDOMAIN: 3, SERVFAIL: 2 } as const;

/** Answers questions for A and AAAA (RFC 1035): a message with its header, the question, and the records. */
class ScriptedNameServer {
  readonly asked: string[] = [];
  readonly answers = new Map<string, Answer>();
  readonly address: string;

  private constructor(socket: Socket) {
    this.address = `127.0.0.1:${socket.address().port}`;
    socket.on('message', (question, from) => {
      const answer = this.#answer(question);
      if (answer !== undefined) socket.send(answer, from.port, from.address);
    });
  }

  static async start(t: TestContext): Promise<ScriptedNameServer> {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    t.after(() => socket.close());
    return new ScriptedNameServer(socket);
  }

  #answer(question: Buffer): Buffer | undefined {
    const labels: string[] = [];
    let at = 12;
    for (let length = question[at]!; length > 0; length = question[at]!) {
      labels.push(question.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const kind = question.readUInt16BE(at + 1) === 28 ? 'AAAA' : 'A';
    const name = labels.join('.').toLowerCase();
    this.asked.push(`${name} ${kind}`);
    const answer = this.answers.get(name) ?? 'NXDOMAIN';
    if (answer === 'nothing') return undefined;
    const records = typeof answer === 'string' ? [] : (answer[kind] ?? []).map((each) => record(kind, each));
    const header = Buffer.from(question.subarray(0, 12));
    header.writeUInt16BE(0x8580 | (typeof answer === 'string' ? codes[answer] : 0), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(records.length, 6);
    header.writeUInt32BE(0, 8);
    return Buffer.concat([header, question.subarray(12, at + 5), ...records]);
  }
}

function record(kind: 'A' | 'AAAA', address: string): Buffer {
  const data =
    kind === 'A'
      ? Buffer.from(address.split('.').map(Number))
      : Buffer.from(
          address
            .split(':')
            .map((word) => word.padStart(4, '0'))
            .join(''),
          'hex',
        );
  const head = Buffer.alloc(12);
  // The name is the question's.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(kind === 'A' ? 1 : 28, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttlSeconds, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

const name = 'app.shop.svc.cluster.local';

async function listening(t: TestContext, answer: Answer) {
  const server = await ScriptedNameServer.start(t);
  server.answers.set(name, answer);
  const clock = new ManualClock();
  const source = new DnsSource({
    place: { host: 'app.shop.svc', port: 8080 },
    clock,
    log: createLog({ level: 'silent' }),
    random: () => 0,
    servers: [server.address],
    resolvConf: 'search shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5',
  });
  t.after(() => source.stop());
  const lists: (readonly ListedPod[])[] = [];
  source.start((pods) => void lists.push(pods));
  const hosts = (): string => (lists.at(-1) ?? []).map(({ address }) => address.host).join(' ');
  /** Lets time pass until it was asked again and has heard the answer. */
  const asksAgain = async (): Promise<void> => {
    const before = source.view.heardAtMs ?? 0;
    const errors = (): number => [...source.view.errors.values()].reduce((sum, count) => sum + count, 0);
    const failed = errors();
    await until('it asks again', () => {
      if (clock.pending > 0) clock.advance(ttlSeconds * 1000);
      return (source.view.heardAtMs ?? 0) > before || errors() > failed;
    });
  };
  await until('it has asked', () => clock.pending === 1);
  return { server, clock, source, lists, hosts, asksAgain };
}

test('the addresses of a name are the pods, in any order, found by the search domains of resolv.conf', async (t) => {
  const { server, source, lists, hosts, asksAgain } = await listening(t, { A: ['10.0.0.2', '10.0.0.1'] });
  assert.deepEqual(lists, [
    [
      { name: '10.0.0.1', address: { host: '10.0.0.1', port: 8080 } },
      { name: '10.0.0.2', address: { host: '10.0.0.2', port: 8080 } },
    ],
  ]);
  server.answers.set(name, { A: ['10.0.0.1', '10.0.0.2', '10.0.0.1'] });
  server.asked.length = 0;
  await asksAgain();
  assert.deepEqual([lists.length, source.view.problem], [1, undefined]);
  assert.deepEqual(server.asked, [`${name} A`], 'the name that was found is asked for first');
  server.answers.set(name, { A: ['10.0.0.2', '10.0.0.3'] });
  await asksAgain();
  assert.equal(hosts(), '10.0.0.2 10.0.0.3');
});

test('IPv6 addresses count where there are no IPv4 ones: a pod with both is one pod', async (t) => {
  const six = 'fd00:0:0:0:0:0:0:1';
  const { server, hosts, asksAgain } = await listening(t, { AAAA: [six] });
  assert.equal(hosts(), 'fd00::1');
  server.answers.set(name, { A: ['10.0.0.1'], AAAA: [six] });
  await asksAgain();
  assert.equal(hosts(), '10.0.0.1');
});

test('a name server that fails or says nothing changes nothing for an hour', async (t) => {
  const { server, clock, source, lists, hosts, asksAgain } = await listening(t, { A: ['10.0.0.1'] });
  server.answers.set(name, 'SERVFAIL');
  await asksAgain();
  assert.match(source.view.problem ?? '', /the name server: .*SERVFAIL/);
  clock.advance(1_800_000);
  await until('it asks again', () => clock.pending === 1);
  assert.deepEqual([hosts(), lists.length], ['10.0.0.1', 1]);
  clock.advance(1_800_000);
  await until('no pods are left', () => lists.length === 2);
  assert.deepEqual([hosts(), source.view.isSeen], ['', true]);
  server.answers.set(name, { A: ['10.0.0.1'] });
  await asksAgain();
  await until('it is back', () => hosts() === '10.0.0.1');
});

test('a name that is not there any more is believed after half a minute; one that never was is no list', async (t) => {
  const { server, clock, hosts, lists, asksAgain } = await listening(t, { A: ['10.0.0.1'] });
  server.answers.set(name, 'NXDOMAIN');
  await asksAgain();
  assert.equal(hosts(), '10.0.0.1');
  clock.advance(30_000);
  await until('no pods are left', () => lists.length === 2);
  const never = await listening(t, 'NXDOMAIN');
  assert.deepEqual(
    [never.source.view.isSeen, never.lists.length, never.source.view.errors.get('no-name')],
    [false, 0, 1],
  );
  assert.match(never.source.view.problem ?? '', /no name app\.shop\.svc, .*app\.shop\.svc\.cluster\.local/);
});

test('a name without addresses is a list without pods, with the reason', async (t) => {
  const { lists, source } = await listening(t, {});
  assert.deepEqual([lists, source.view.isSeen], [[[]], true]);
  assert.match(source.view.problem ?? '', /has no addresses/);
});

test('a search domain further on that answers to any name is not asked while the name that was found is only gone or failing', async (t) => {
  const { server, clock, hosts, asksAgain } = await listening(t, { A: ['10.0.0.1'] });
  server.answers.set('app.shop.svc', { A: ['192.0.2.1'] });
  for (const answer of ['SERVFAIL', 'NXDOMAIN'] as const) {
    server.answers.set(name, answer);
    server.asked.length = 0;
    await asksAgain();
    assert.deepEqual([hosts(), new Set(server.asked)], ['10.0.0.1', new Set([`${name} A`])], answer);
  }
  await until('it is searched for again', () => {
    if (clock.pending > 0) clock.advance(30_000);
    return hosts() === '192.0.2.1';
  });
});

test('a name that could not be asked for ends the search: one further on may be somebody else', async (t) => {
  const { server, source, hosts, asksAgain } = await listening(t, 'SERVFAIL');
  server.answers.set('app.shop.svc', { A: ['192.0.2.1'] });
  await asksAgain();
  assert.deepEqual([hosts(), source.view.isSeen], ['', false]);
  assert.match(source.view.problem ?? '', new RegExp(`SERVFAIL.*${name}`));
  server.answers.set(name, { A: ['10.0.0.1'] });
  await asksAgain();
  await until('it is found', () => hosts() === '10.0.0.1');
});
