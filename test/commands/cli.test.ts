/** The commands as a user calls them: real processes, their output and exit codes. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { createAdmin } from '../../src/admin/admin-server.ts';
import type { SessionView, Window } from '../../src/admin/window.ts';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Call {
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string;
}

function holdfast(words: readonly string[], { environment = {}, input = '' }: Call = {}): Promise<Ended> {
  const child = spawn(process.execPath, [cli, ...words], { env: { PATH: process.env['PATH'], ...environment } });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (out += piece));
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (err += piece));
  // A command that does not read its input may have ended before it is written.
  child.stdin.on('error', () => undefined).end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code) => resolve({ code, out, err }));
  });
}

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const secret = 'a-store-key-of-32-bytes-for-tests';

function gateway(admin: string, session = 'session: { preset: php }'): string {
  return `
${session}
store: { url: "redis://redis:6379", key: "${secret}" }
pods: { static: [pod-a=10.1.0.4:8080] }
admin: ${admin}
timeouts: { drain: 1s }
`;
}

const knownId = 'b5i2c5d4hcqnavs6jhn01t7uuj';
const asked: string[] = [];
const view: SessionView = {
  session: 'digest',
  pod: 'pod-a',
  reason: 'owner in the store',
  epoch: 7,
  version: 2,
  storedAt: null,
};

const sample: Window = {
  title: 'gateway',
  started: () => ({ ok: true, reason: 'yes' }),
  ready: () => ({ ok: true, reason: 'yes' }),
  pods: () => [],
  session: (id) => {
    asked.push(id);
    return Promise.resolve(id === knownId ? view : undefined);
  },
  drain: () => Promise.resolve(void asked.push('drain')),
  figures: () => [],
};

/** A running process's window, and the configuration that names it. */
async function running(context: TestContext, session = 'session: { preset: php }'): Promise<string> {
  const path = join(mkdtempSync(join(folder, 'run-')), 'admin.sock');
  const log = createLog({ level: 'silent', destination: { write: () => undefined } });
  const listen = { kind: 'unix', path } as const;
  const admin = await createAdmin({ listen, full: true, window: sample, metrics: new Metrics(), log });
  context.after(() => admin.close());
  asked.length = 0;
  return file('running.yaml', gateway(`unix:${path}`, session));
}

test('version prints the version, and --version too', async () => {
  assert.match((await holdfast(['version'])).out, /^holdfast \d+\.\d+\.\d+ \(node \d+/);
  assert.match((await holdfast(['--version'])).out, /^\d+\.\d+\.\d+\n$/);
});

test('help ends with 0; bad arguments end with 1 and say so on standard error', async () => {
  assert.equal((await holdfast(['--help'])).code, 0);
  for (const words of [[], ['bogus'], ['run', '--nope'], ['where'], ['dev', '--replicas', 'many', '--', 'php']]) {
    const { code, out, err } = await holdfast(words);
    assert.deepEqual([code, out], [1, ''], words.join(' '));
    assert.notEqual(err, '');
  }
});

test('the help of every command says what it does and what its options are, and shows no empty default', async () => {
  const { out } = await holdfast(['--help']);
  assert.match(out, /^Exit codes: 0 done, 1 bad configuration or arguments, 2 failed while running\.$/m);
  const names = [...out.matchAll(/^ {2}([a-z]+) (?:\[options\]| {2})/gm)].map(([, name]) => name!);
  assert.deepEqual(names, ['run', 'dev', 'check', 'where', 'drain', 'import', 'inject', 'injector', 'version']);
  for (const help of await Promise.all(names.map((name) => holdfast([name, '--help'])))) {
    assert.equal(help.code, 0);
    assert.doesNotMatch(help.out, /default: (?:\[\]|false)/);
  }
});

test('check refuses several workers where this Node can not bind sockets for them, as run does', async () => {
  const older =
    "import net from 'node:net'; import module from 'node:module'; delete net.BoundSocket; module.syncBuiltinESMExports();";
  const preload = `data:text/javascript;base64,${Buffer.from(older).toString('base64')}`;
  const environment = { NODE_OPTIONS: `--import=${preload}` };
  const config = file('workers.yaml', `${gateway('off')}workers: 2\n`);
  for (const command of ['check', 'run']) {
    const { code, err } = await holdfast([command, '--config', config], { environment });
    assert.deepEqual(
      [code, /workers: more than 1 needs Node 26\.4 or newer/.test(err)],
      [1, true],
      `${command}: ${err}`,
    );
  }
});

test('check ends with 0 and a summary for a usable configuration', async () => {
  const { code, out, err } = await holdfast(['check', '--config', file('good.yaml', gateway('off'))]);
  assert.deepEqual([code, err], [0, '']);
  assert.match(out, /gateway on 0\.0\.0\.0:8080 before 1 pod, sessions in redis:\/\/redis:6379/);
});

test('check warns of keys in the file that a variable replaces, and run does in its log', async () => {
  const environment = { HOLDFAST_STORE_KEY: 'a-store-key-left-in-the-environment' };
  const path = file('replaced.yaml', gateway('off'));
  const { code, err } = await holdfast(['check', '--config', path], { environment });
  assert.equal(code, 0);
  assert.match(err, /^warning: store\.key: what is written in the file counts for nothing.* HOLDFAST_STORE_KEY/);
  assert.doesNotMatch(err, /left-in-the-environment|a-store-key-of/);
  // The port is taken, so that it ends by itself.
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const listen = `listen=127.0.0.1:${(taken.address() as AddressInfo).port}`;
  const run = await holdfast(['run', '--config', path, '--set', listen, '--set', 'store.url=memory:'], { environment });
  taken.close();
  assert.equal(run.code, 2, run.out);
  assert.match(run.out, /"level":"warn".*store\.key: what is written/);
});

test('check ends with 1 and tells every problem with its path', async () => {
  const path = file('bad.yaml', 'role: gateway\ntimeouts: { head: soon, hed: 1s }\nsession: { preset: php }\npods: {}');
  const { code, out, err } = await holdfast(['check', '--config', path, '--set', 'log.level=loud']);
  assert.deepEqual([code, out], [1, '']);
  for (const words of [
    'timeouts.head: "soon"',
    'timeouts.hed: is no key',
    'log.level: "loud"',
    'pods: needs',
    'affinity.pinKey: is needed',
  ]) {
    assert.ok(err.includes(words), words);
  }
});

test('run refuses a bad configuration with exit code 1, so that nothing restarts it', async () => {
  const { code, err } = await holdfast(['run', '--config', file('bad-run.yaml', 'role: sidecar')]);
  assert.equal(code, 1);
  assert.match(err, /application: is needed/);
});

test('the configuration file can be named by HOLDFAST_CONFIG, and keys by the environment and flags', async () => {
  const environment = { HOLDFAST_CONFIG: file('env.yaml', gateway('off')), HOLDFAST_LISTEN: '127.0.0.1:1234' };
  assert.match((await holdfast(['check'], { environment })).out, /gateway on 127\.0\.0\.1:1234/);
  const flagged = await holdfast(['check', '--set', 'listen=127.0.0.1:99', '--set', 'log.level=debug'], {
    environment,
  });
  assert.match(flagged.out, /gateway on 127\.0\.0\.1:99/);
});

test('check warns of an application that listens on all interfaces', async (context) => {
  const application = createServer();
  context.after(() => application.close());
  await new Promise<void>((resolve) => application.listen(0, '0.0.0.0', resolve));
  const address = application.address();
  assert.ok(typeof address === 'object' && address !== null);
  const path = file(
    'sidecar.yaml',
    `
role: sidecar
session: { preset: php }
store: { url: "redis://redis", key: "${secret}" }
pod: { name: pod-a }
application: 127.0.0.1:${address.port}
sessions: { directory: /sessions }
`,
  );
  const { code, err } = await holdfast(['check', '--config', path]);
  assert.equal(code, 0);
  assert.match(err, /^warning: the application listens on all interfaces/);
});

test('where tells people and programs which pod has a session', async (context) => {
  const path = await running(context);
  const plain = await holdfast(['where', knownId, '--config', path]);
  assert.equal(plain.code, 0);
  assert.match(plain.out, /^pod +pod-a$/m);
  assert.match(plain.out, /^reason +owner in the store$/m);
  const json = await holdfast(['where', knownId, '--json', '--config', path]);
  assert.deepEqual(JSON.parse(json.out), view);
});

test('where - reads the id from standard input', async (context) => {
  const path = await running(context);
  const { code, out } = await holdfast(['where', '-', '--config', path], { input: `${knownId}\n` });
  assert.equal(code, 0);
  assert.match(out, /pod-a/);
  assert.deepEqual(asked, [knownId]);
  assert.equal((await holdfast(['where', '-', '--config', path], { input: '\n' })).code, 1);
});

test('where says that a cookie whose name is not known yet may be what nobody knows', async (context) => {
  const path = await running(context, 'session: { preset: laravel, keys: ["0123456789abcdef0123456789abcdef"] }');
  const { code, err } = await holdfast(['where', 'eyJpdiI6Inh4In0%3D', '--config', path]);
  assert.equal(code, 2);
  assert.match(err, /nobody knows this session; a cookie can be read once .*session\.cookie/);
});

test('where ends with 2 for a session that nobody knows, and where no process runs', async (context) => {
  const path = await running(context);
  const unknown = await holdfast(['where', '0000c5d4hcqnavs6jhn01t7uuj', '--config', path]);
  assert.deepEqual([unknown.code, unknown.out], [2, '']);
  assert.match(unknown.err, /nobody knows this session$/m);
  const nobody = await holdfast([
    'where',
    knownId,
    '--config',
    file('nobody.yaml', gateway('unix:/nowhere/admin.sock')),
  ]);
  assert.equal(nobody.code, 2);
  assert.match(nobody.err, /no process answered at unix:\/nowhere\/admin\.sock \(ENOENT\)/);
});

test('drain asks the running process and waits for it', async (context) => {
  const path = await running(context);
  const { code, out } = await holdfast(['drain', '--config', path]);
  assert.deepEqual([code, out, asked], [0, 'drained\n', ['drain']]);
  const nobody = await holdfast(['drain', '--config', file('nobody.yaml', gateway('127.0.0.1:1'))]);
  assert.equal(nobody.code, 2);
});

test('drain --socket asks there, and reads no configuration', async (context) => {
  const asked: string[] = [];
  const socket = join(folder, 'drained.sock');
  const server = createHttpServer((request, answer) => {
    void text(request).then((body) => {
      asked.push(`${request.method ?? ''} ${request.url ?? ''} ${request.headers['content-type'] ?? ''} ${body}`);
      answer.writeHead(asked.length === 1 ? 200 : 503).end('{}');
    });
  });
  context.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const { code, out } = await holdfast(['drain', '--socket', socket, '--config', '/nowhere']);
  assert.deepEqual([code, out], [0, 'drained\n']);
  const refused = await holdfast(['drain', '--socket', socket, '--unready']);
  assert.deepEqual([refused.code, refused.err], [2, 'holdfast drain: 503: {}\n']);
  assert.deepEqual(asked, [
    'POST /drain application/json {"unready":false}',
    'POST /drain application/json {"unready":true}',
  ]);
  const nobody = await holdfast(['drain', '--socket', '/nowhere/admin.sock']);
  assert.equal(nobody.code, 2);
  assert.match(nobody.err, /no process answered at \/nowhere\/admin\.sock/);
});

test('where says of what is no session id that it is none, without asking anybody', async () => {
  const path = file('nobody-asked.yaml', gateway('unix:/nowhere/admin.sock'));
  const { code, out, err } = await holdfast(['where', '../etc/passwd', '--config', path]);
  assert.deepEqual([code, out], [1, '']);
  assert.equal(err, 'holdfast where: that is neither a session id of preset php nor the value of its cookie\n');
});

test('an unknown role hides nothing that is wrong in any section', async () => {
  const path = file('role.yaml', 'role: proxy\nsessions: { maxBytes: many }\nhealth: { fails: -1 }\n');
  const { code, err } = await holdfast(['check', '--config', path]);
  assert.equal(code, 1);
  for (const key of ['role', 'sessions.maxBytes', 'health.fails']) assert.match(err, new RegExp(`^ {2}${key}: `, 'm'));
});

test('check warns of an application beyond loopback and of a session directory that is relative', async () => {
  const sidecar = `
role: sidecar
session: { preset: php }
store: { url: "redis://redis:6379", key: "${secret}" }
pod: { name: pod-a }
application: 10.1.0.4:9000
sessions: { directory: storage/sessions }
`;
  const { code, err } = await holdfast(['check', '--config', file('far.yaml', sidecar)]);
  assert.equal(code, 0, err);
  assert.match(err, /^warning: application: 10\.1\.0\.4:9000 is not on this machine's loopback/m);
  assert.match(err, /^warning: sessions\.directory: "storage\/sessions" is relative/m);
});
