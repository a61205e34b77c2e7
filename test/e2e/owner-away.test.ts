/**
 * Two sidecars and no gateway: a session lives at one, its requests come to the other, and the owner goes away in every
 * way it can. Real processes.
 */

import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { Browser } from '../support/cookie-jar.ts';
import { deploy, type DeployedPod, type Deployment } from '../support/deployment.ts';
import { until } from '../support/until.ts';

interface Two {
  readonly deployment: Deployment;
  readonly owner: DeployedPod;
  readonly other: DeployedPod;
  /** A user whose session has counted to 1 at the owner. */
  readonly user: () => Promise<Browser>;
}

async function two(t: TestContext, over: { readonly faultProxies?: boolean } = {}): Promise<Two> {
  const deployment = await deploy(t, { application: 'plain-php', pods: 2, gateways: 0, ...over });
  const [owner, other] = deployment.pods as readonly [DeployedPod, DeployedPod];
  const user = async (): Promise<Browser> => {
    const browser = new Browser(at(owner), { timeoutMs: 20_000 });
    t.after(() => browser.close());
    assert.equal(await browser.number('/inc'), 1);
    return browser;
  };
  return { deployment, owner, other, user };
}

function at(pod: DeployedPod): string {
  return `http://127.0.0.1:${pod.dataPort}`;
}

/** The next number, asked for at this pod. */
function next(browser: Browser, pod: DeployedPod): Promise<number> {
  browser.origin = at(pod);
  return browser.number('/inc');
}

/** Who has answered a request last: the other pod's access line. */
function served(pod: DeployedPod, path: string): unknown {
  return pod.sidecar.process.logLines.findLast((line) => line['path'] === path && 'affinity' in line)?.['pod'];
}

test('a live owner serves what comes to another sidecar, and keeps the session', async (t) => {
  const { owner, other, user } = await two(t);
  const browser = await user();
  assert.equal(await next(browser, other), 2);
  await until('the line is written', () => served(other, '/inc') === owner.name);
  assert.equal(await next(browser, owner), 3);
  assert.equal((await browser.post('/upload', Buffer.alloc(3_000_000, 'u'))).status, 200);
  browser.origin = at(other);
  const upload = await browser.post('/upload', Buffer.alloc(3_000_000, 'u'));
  assert.deepEqual([upload.status, upload.text.includes('3000000')], [200, true], upload.text.slice(0, 100));
  assert.match(await browser.text('/stream'), /\S/);
  assert.equal(await next(browser, other), 5, 'the stream counted too');
});

test('an owner whose application died, one that drains, and one that is killed lose nothing', async (t) => {
  const { owner, other, user } = await two(t);
  const [dead, drained, free] = [await user(), await user(), await user()];
  await owner.applicationProcess.kill('SIGKILL');
  assert.equal(await next(dead, other), 2, 'asked for before anybody noticed');
  await owner.startApplication();
  await until('it is ready again', () => owner.sidecar.isReady());
  assert.equal(await next(drained, owner), 2);
  assert.equal((await owner.sidecar.command('drain')).code, 0);
  assert.equal(await next(drained, other), 3);
  assert.equal(await next(drained, owner), 4, 'who drains sends it on to the new owner');
  assert.equal(await next(free, owner), 2, 'and what nobody has any more to another pod');
  const lines = () => owner.sidecar.process.logLines.filter((line) => 'affinity' in line).map((line) => line['pod']);
  await until(
    'its last two lines name the other pod',
    () => lines().slice(-2).join() === `${other.name},${other.name}`,
  );
  await owner.sidecar.process.kill('SIGKILL');
  await owner.sidecar.start();
  assert.equal(await next(dead, owner), 3);
  const killed = await user();
  await owner.kill();
  assert.equal(await next(killed, other), 2);
});

test('a frozen owner: its sessions go on elsewhere, and what it answers when it wakes up is no success', async (t) => {
  const { owner, other, user } = await two(t);
  const browsers = [await user(), await user(), await user()];
  const copy = new Browser(at(owner), { jar: browsers[0]!.jar.copy(), timeoutMs: 60_000 });
  t.after(() => copy.close());
  owner.sidecar.process.signal('SIGSTOP');
  const frozen = copy.get('/inc').then(
    ({ status }) => status,
    () => 'cut',
  );
  for (const browser of browsers) assert.equal(await next(browser, other), 2);
  owner.sidecar.process.signal('SIGCONT');
  assert.notEqual(await frozen, 200);
  assert.equal(await next(browsers[0]!, owner), 3, 'it sends them on to the new owner');
  for (const browser of browsers.slice(1)) assert.equal(await next(browser, other), 3);
  const asked = other.sidecar.process.logLines.filter(({ msg }) => msg === 'the owner of a session did not answer');
  assert.equal(asked.length, 1, 'the others were taken without another question');
});

test('sidecars cut from each other, without a word: the session goes on at the one, the other answers no success', async (t) => {
  const { owner, other, user } = await two(t, { faultProxies: true });
  const [browser, second] = [await user(), await user()];
  // Neither a connection nor a refusal; clients and Redis are still reached.
  await owner.network!.set({ kind: 'silent' }, 'data', 'peer');
  assert.equal(await next(browser, other), 2);
  assert.equal(await next(second, other), 2);
  browser.origin = at(owner);
  assert.equal((await browser.get('/inc')).status, 503, 'its write is refused');
  assert.equal(await next(browser, owner), 3, 'it knows now, and sends it to the new owner');
  await owner.network!.set({ kind: 'pass' }, 'data', 'peer');
  assert.equal(await next(browser, other), 4);
});

test('a tunnel and an event stream go to the owner through another sidecar, as they come', async (t) => {
  const { owner, other } = await two(t);
  const id = await talkative(t, owner);
  const head = [`Host: shop`, `Cookie: PHPSESSID=${id}`];
  assert.equal((await fetch(at(owner))).status, 200);
  const tunnel = talk(t, other, ['GET /chat HTTP/1.1', ...head, 'Connection: Upgrade', 'Upgrade: echo']);
  await until('the tunnel is there', () => tunnel.heard.startsWith('HTTP/1.1 101 '));
  tunnel.socket.write('hello through two');
  await until('the echo', () => tunnel.heard.endsWith('hello through two'));
  const stream = talk(t, other, ['GET /events HTTP/1.1', ...head]);
  await until('the first event, of a stream that does not end', () => stream.heard.includes('data: first'));
});

test('a pod whose application is gone sends its clients to another pod that it knows, and their sessions with them', async (t) => {
  const { owner, other, user } = await two(t);
  const [mine, stranger] = [await user(), new Browser(at(owner), { timeoutMs: 20_000 })];
  t.after(() => stranger.close());
  await owner.applicationProcess.kill('SIGKILL');
  assert.equal((await stranger.get('/inc')).status, 502, 'it has met no other pod yet');
  await owner.startApplication();
  await until('it is ready again', () => owner.sidecar.isReady());
  const theirs = new Browser(at(other), { timeoutMs: 20_000 });
  t.after(() => theirs.close());
  assert.equal(await theirs.number('/inc'), 1);
  assert.equal(await next(theirs, owner), 2, 'forwarded: they know each other now');
  await owner.applicationProcess.kill('SIGKILL');
  assert.equal(await next(mine, owner), 2, 'asked for before anybody noticed');
  await until('it is not ready', async () => !(await owner.sidecar.isReady()));
  assert.equal(await next(mine, owner), 3);
  assert.equal(await stranger.number('/inc'), 1, 'who has no session begins one');
  assert.equal((await mine.post('/upload', Buffer.alloc(1000, 'u'))).status, 200);
  const probe = await fetch(at(owner), { headers: { 'user-agent': 'kube-probe/1.36' } });
  assert.equal(probe.status, 502, 'a probe wants to know of this application');
});

/** Another application of a pod: it makes a session, echoes what comes after an upgrade, and streams without an end. */
async function talkative(t: TestContext, pod: DeployedPod): Promise<string> {
  const id = 'a'.repeat(26);
  const sockets = new Set<Socket>();
  const server = createServer((_request: IncomingMessage, response: ServerResponse) => {
    if (_request.url === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n');
      return;
    }
    writeFileSync(join(pod.sessions, `sess_${id}`), 'count|i:1;');
    response.setHeader('set-cookie', `PHPSESSID=${id}; path=/`).end('begun');
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  server.on('upgrade', (_request: IncomingMessage, socket: Socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await pod.sidecar.process.kill('SIGTERM');
  pod.sidecar.configure({ application: `127.0.0.1:${(server.address() as AddressInfo).port}` });
  await pod.sidecar.start();
  return id;
}

/** Sends this head to a pod; `heard` grows. */
function talk(t: TestContext, pod: DeployedPod, lines: readonly string[]): { readonly socket: Socket; heard: string } {
  const socket = connect(pod.dataPort, '127.0.0.1');
  const talking = { socket, heard: '' };
  t.after(() => socket.destroy());
  socket.on('error', () => undefined).setEncoding('utf8');
  socket.on('data', (text: string) => (talking.heard += text));
  socket.write([...lines, '', ''].join('\r\n'));
  return talking;
}
