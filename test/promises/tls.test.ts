/** A listener with TLS, asked by openssl and by Node: who is let in, by which certificate, and how connections end. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, symlinkSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect as connectTcp, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Address } from '../../src/base/address.ts';
import type { PemSource, TlsSettings } from '../../src/proxy/listen-place.ts';
import { Authority, type Certified } from '../support/certificates.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { peerRole, toldPeer } from '../support/peer-role.ts';
import { findProgram } from '../support/processes.ts';
import { ProxyUnderTest, type UnderTestOptions } from '../support/proxy-under-test.ts';
import { Peer, ScriptedPod } from '../support/scripted-peers.ts';
import { ScriptedRole } from '../support/scripted-role.ts';
import { until } from '../support/until.ts';

const last = 'GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n';
let authority: Authority;
let [one, two, other]: Certified[] = [];

before(async () => {
  authority = await Authority.create('edge');
  [one, two, other] = await Promise.all([
    authority.issue('one.test'),
    authority.issue('*.two.test'),
    authority.issue('three.test'),
  ]);
});
after(() => authority.remove());

const file = (path: string): PemSource => ({ kind: 'file', path });
const pairOf = ({ certificateFile, keyFile }: Certified) => ({
  certificate: file(certificateFile),
  key: file(keyFile),
});

function settings(changes: Partial<TlsSettings> = {}): TlsSettings {
  return {
    certificates: [pairOf(one!), pairOf(two!)],
    minVersion: '1.2',
    clientCertificate: 'off',
    clientCa: undefined,
    ticketKey: undefined,
    ...changes,
  };
}

async function start(
  t: TestContext,
  changes: Partial<TlsSettings> = {},
  options: Partial<UnderTestOptions> = {},
): Promise<ProxyUnderTest> {
  return ProxyUnderTest.start(t, { role: peerRole(), place: { tls: settings(changes) }, ...options });
}

async function secureClient(
  t: TestContext,
  { port }: Address,
  options: ConnectionOptions & { readonly allowHalfOpen?: boolean } = {},
) {
  const tls = connect({ host: '127.0.0.1', port, ca: authority.certificate, servername: 'one.test', ...options });
  t.after(() => void tls.destroy());
  const peer = new Peer(tls);
  await new Promise<void>((resolve, reject) => tls.once('secureConnect', resolve).once('error', reject));
  return { tls, peer };
}

/** The names that a client is shown. */
function shownTo(tls: TLSSocket): string | undefined {
  return tls.getPeerX509Certificate()?.subjectAltName;
}

/** What `openssl s_client` says when it asks. */
function sClient(under: ProxyUnderTest, ...args: readonly string[]): Promise<string> {
  const command = [
    's_client',
    '-connect',
    `127.0.0.1:${under.address.port}`,
    '-CAfile',
    authority.certificateFile,
    ...args,
  ];
  return new Promise((resolve) => {
    const child = execFile(findProgram('openssl'), command, { timeout: 60_000 }, (_, out, error) =>
      resolve(out + error),
    );
    child.stdin!.end('Q\n');
  });
}

test('requests come by TLS 1.2 and 1.3, and are told as https', async (t) => {
  const under = await start(t);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const { tls, peer } = await secureClient(t, under.address, { maxVersion: version, minVersion: version });
    peer.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n' + last);
    for (let count = 0; count < 2; count++) {
      await peer.takes('\r\n\r\n');
      assert.deepEqual(toldPeer(await peer.takes('}')), { address: '127.0.0.1', secure: true, trusted: false });
    }
    assert.equal(await peer.over(), 'fin');
    assert.equal(tls.getProtocol(), version);
  }
  assert.deepEqual([under.notTaken, under.faults], [[], []]);
});

test('the certificate is the one for the name asked for, else the first', async (t) => {
  const under = await start(t);
  const shown = async (servername: string): Promise<string | undefined> =>
    shownTo((await secureClient(t, under.address, { servername, rejectUnauthorized: false })).tls);
  assert.equal(await shown('one.test'), 'DNS:one.test');
  assert.equal(await shown('A.two.TEST'), 'DNS:*.two.test');
  assert.equal(await shown('a.b.two.test'), 'DNS:one.test');
  assert.equal(await shown('two.test'), 'DNS:one.test');
  assert.equal(await shown(''), 'DNS:one.test');
});

test('openssl: only HTTP/1.1 is agreed on, old versions are refused, a session is resumed', async (t) => {
  const under = await start(t);
  assert.match(await sClient(under, '-alpn', 'h2,http/1.1'), /ALPN protocol: http\/1\.1/);
  assert.match(await sClient(under, '-alpn', 'h2'), /alert no application protocol/);
  assert.match(await sClient(under), /No ALPN negotiated/);
  assert.match(await sClient(under, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'), /alert|no protocols available|error/i);
  assert.match(await sClient(under, '-tls1_2', '-cipher', 'AES128-SHA'), /alert handshake failure/);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-sessions-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const session = join(folder, 'session');
  await sClient(under, '-tls1_2', '-sess_out', session);
  assert.match(await sClient(under, '-tls1_2', '-sess_in', session), /Reused, TLSv1\.2/);
});

test('minVersion 1.3 refuses TLS 1.2', async (t) => {
  const under = await start(t, { minVersion: '1.3' });
  assert.match(await sClient(under, '-tls1_2'), /alert protocol version/);
  await until('the failure is told', () => under.notTaken.length > 0);
  assert.equal(under.notTaken[0]!.reason, 'tls-handshake-failed');
});

test('processes that share a ticket key resume the sessions of each other', async (t) => {
  const ticketKey = Buffer.from('a ticket key of 32 bytes or more');
  const [first, second, alone] = [await start(t, { ticketKey }), await start(t, { ticketKey }), await start(t)];
  const { tls, peer } = await secureClient(t, first.address);
  const ticket = new Promise<Buffer>((resolve) => tls.once('session', resolve));
  peer.send(last);
  const session = await ticket;
  assert.equal((await secureClient(t, second.address, { session })).tls.isSessionReused(), true);
  assert.equal((await secureClient(t, alone.address, { session })).tls.isSessionReused(), false);
});

test('an answer that is cut ends by a RST, with no close_notify before it', async (t) => {
  const pod = await ScriptedPod.start(t);
  const role = new ScriptedRole({ candidates: [pod.address] });
  const under = await start(t, {}, { role });
  const tap = await wiretap(t, under.address);
  const { peer } = await secureClient(t, tap.address, { maxVersion: 'TLSv1.2' });
  // Towards HTTP/1.0 the body ends with the connection: a FIN would look like its end.
  peer.send('GET / HTTP/1.0\r\n\r\n');
  const asked = await pod.request();
  asked.peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
  await peer.takes('hello');
  asked.peer.reset();
  await until('the wire is over', () => tap.ended !== undefined);
  assert.equal(tap.ended, 'reset');
  assert.equal(tap.records.includes('alert'), false, tap.records.join(' '));
});

test('half-close, and an answer much larger than all buffers to a client that reads late, pass through TLS', async (t) => {
  const pod = await ScriptedPod.start(t);
  const under = await start(t, {}, { role: new ScriptedRole({ candidates: [pod.address] }) });
  const { tls, peer } = await secureClient(t, under.address, { allowHalfOpen: true });
  tls.pause();
  peer.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
  peer.end();
  const asked = await pod.request();
  const length = 32 * 1024 * 1024;
  asked.peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
  asked.peer.socket.write(Buffer.alloc(length, 'x'));
  await until('the pod is kept waiting', () => asked.peer.socket.writableLength > length / 4);
  tls.resume();
  await peer.takes('\r\n\r\n');
  await peer.until('all has come', () => peer.received.length === length);
  assert.equal((await under.line()).reason, undefined);
  assert.equal(await peer.over(), 'fin');
});

test('client certificates: required, optional, and not to be got around by a resumed session', async (t) => {
  const stranger = await Authority.create('stranger');
  t.after(() => stranger.remove());
  const [mine, theirs] = [await authority.issue('client.test'), await stranger.issue('client.test')];
  const clientCa = file(authority.certificateFile);
  const asks = async (under: ProxyUnderTest, options: ConnectionOptions): Promise<string> => {
    const { tls, peer } = await secureClient(t, under.address, options);
    // TLS 1.3: the client's part is done before the other side has looked at it.
    tls.on('error', () => undefined);
    peer.send(last);
    await peer.over();
    return peer.received.slice(9, 12);
  };
  const [known, foreign] = [mine, theirs].map(({ certificate: cert, key }) => ({ cert, key }));
  const required = await start(t, { clientCa, clientCertificate: 'required' });
  assert.equal(await asks(required, known!), '200');
  assert.equal(await asks(required, foreign!), '');
  const { tls, peer } = await secureClient(t, required.address);
  const session = await Promise.race([new Promise<Buffer>((resolve) => tls.once('session', resolve)), peer.over()]);
  assert.equal(await asks(required, typeof session === 'string' ? {} : { session }), '');
  assert.equal(
    required.notTaken.every(({ reason }) => reason === 'client-certificate-refused'),
    true,
  );
  const optional = await start(t, { clientCa, clientCertificate: 'optional' });
  assert.deepEqual(
    [await asks(optional, {}), await asks(optional, known!), await asks(optional, foreign!)],
    ['200', '200', ''],
  );
});

test('a handshake has the time of a request head, is counted, and probes that say nothing are not', async (t) => {
  const clock = new ManualClock();
  const under = await start(t, {}, { clock, timeouts: { headMs: 3000 } });
  const [silent, slow, plain] = [await under.client(), await under.client(), await under.client()];
  slow.send('\x16\x03\x01');
  plain.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
  await plain.over();
  const { peer } = await secureClient(t, under.address);
  peer.send(last);
  await peer.over();
  clock.advance(3000);
  await Promise.all([silent.over(), slow.over()]);
  assert.deepEqual(
    under.notTaken.map(({ reason, detail }) => [reason, detail]),
    [
      ['tls-handshake-failed', 'ERR_SSL_HTTP_REQUEST'],
      ['tls-handshake-timeout', 'it took too long'],
    ],
  );
});

test('a PROXY header comes before the handshake', async (t) => {
  const under = await start(t, {}, { trustedProxies: ['127.0.0.1'], place: { tls: settings(), proxyProtocol: true } });
  const carrier = connectTcp(under.address.port, '127.0.0.1');
  t.after(() => void carrier.destroy());
  carrier.write('PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n');
  const { peer } = await secureClient(t, under.address, { socket: carrier });
  peer.send(last);
  await peer.takes('\r\n\r\n');
  assert.deepEqual(toldPeer(await peer.takes('}')), { address: '192.0.2.7', secure: true, trusted: false });
});

test('a changed pair is served without a restart, a broken one changes nothing', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-mounted-'));
  t.after(() => rmSync(folder, { recursive: true }));
  // As the kubelet does it: ..data is a link to a folder, and is replaced by another link.
  let versions = 0;
  const mount = (certificate: string, key: string): void => {
    const name = `..v${++versions}`;
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'tls.crt'), certificate);
    writeFileSync(join(folder, name, 'tls.key'), key);
    symlinkSync(name, join(folder, '..next'));
    renameSync(join(folder, '..next'), join(folder, '..data'));
  };
  mount(one!.certificate, one!.key);
  for (const name of ['tls.crt', 'tls.key']) symlinkSync(`..data/${name}`, join(folder, name));
  const told: string[] = [];
  const clock = new ManualClock();
  const pair = { certificate: file(join(folder, 'tls.crt')), key: file(join(folder, 'tls.key')) };
  const tlsObserver = {
    secured: () => undefined,
    served: (_: number, { names }: { names: readonly string[] }, again: boolean) =>
      void told.push(`${names.join()} ${again}`),
    refused: (_: number, error: unknown) => void told.push(String(error)),
  };
  const under = await start(t, { certificates: [pair] }, { clock, tlsObserver });
  const shown = async (): Promise<string | undefined> =>
    shownTo((await secureClient(t, under.address, { servername: 'x', rejectUnauthorized: false })).tls);
  const looks = (count: number): Promise<unknown> =>
    until(`${count} are told`, () => {
      clock.advance(5000);
      return told.length === count;
    });
  assert.equal(await shown(), 'DNS:one.test');
  mount(other!.certificate, one!.key);
  await looks(2);
  assert.match(told[1]!, /the key does not belong to the certificate/);
  assert.equal(await shown(), 'DNS:one.test');
  mount(other!.certificate, other!.key);
  await looks(3);
  assert.equal(await shown(), 'DNS:three.test');
  assert.deepEqual([told[0], told[2]], ['one.test false', 'three.test true']);
});

test('holdfast answers curl by https', async (t) => {
  const under = await start(t);
  const where = ['--resolve', `one.test:${under.address.port}:127.0.0.1`, '--cacert', authority.certificateFile];
  const answer = await new Promise<string>((resolve) => {
    execFile(findProgram('curl'), ['-sS', ...where, `https://one.test:${under.address.port}/`], (_, out, error) =>
      resolve(out + error),
    );
  });
  assert.equal(toldPeer(answer).secure, true);
});

interface Wiretap {
  readonly address: Address;
  /** The types of TLS records that came back. */
  readonly records: string[];
  ended: 'fin' | 'reset' | undefined;
}

/** Passes one connection on and notes what comes back. */
async function wiretap(t: TestContext, target: Address): Promise<Wiretap> {
  const types: Readonly<Record<number, string>> = { 20: 'change', 21: 'alert', 22: 'handshake', 23: 'data' };
  const server = createServer((client) => {
    const upstream = connectTcp(target.port, target.host);
    let left = Buffer.alloc(0);
    client.on('data', (bytes) => void upstream.write(bytes)).on('error', () => undefined);
    upstream.on('data', (bytes: Buffer) => {
      left = Buffer.concat([left, bytes]);
      while (left.length >= 5 && left.length >= 5 + left.readUInt16BE(3)) {
        tap.records.push(types[left[0]!] ?? String(left[0]));
        left = left.subarray(5 + left.readUInt16BE(3));
      }
      client.write(bytes);
    });
    upstream.on('end', () => (tap.ended ??= 'fin'));
    upstream.on('error', () => (tap.ended ??= 'reset'));
    upstream.on('close', () => client.destroy());
    client.on('close', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const tap: Wiretap = {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    records: [],
    ended: undefined,
  };
  return tap;
}
