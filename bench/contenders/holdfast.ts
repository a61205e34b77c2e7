/**
 * Holdfast, in the ways it is used: the gateway alone in front of bare applications; the gateway with a sidecar at
 * each application; and the same with the keeper at work, which confirms each session in Redis before an answer ends.
 */

import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, freePorts } from '../../test/support/free-port.ts';
import { PinCookies } from '../../src/affinity/pin-cookie.ts';
import { PinSigner } from '../../src/affinity/pin-token.ts';
import { nodeProgram, repositoryRoot } from '../../test/support/processes.ts';
import type { RunningProcess } from '../../test/support/processes.ts';
import type { Backend, Contender, Place, Visitor } from '../contender.ts';
import { run } from './install.ts';

const key = 'a key for measurements only, open to all';
/** Compiled anew, since that is what the image has. */
const version = () => {
  run('npm', ['run', '--silent', 'build'], { cwd: repositoryRoot });
  return run('git', ['rev-parse', '--short', 'HEAD'], { cwd: repositoryRoot }).trim();
};
const readyMs = 20_000;

/** A cart's worth of session. */
const sessionText = `cart|s:1000:"${'x'.repeat(1000)}";`;

/** By a signed pin cookie; no sidecars, no store. */
export const holdfast: Contender = {
  name: 'Holdfast',
  how: 'signed pin cookie',
  tls: true,
  workers: true,
  version,
  cookieFor() {
    const secrets = [Buffer.from(key)] as const;
    const application = 'holdfast';
    const signer = new PinSigner({ secrets, application });
    const { name } = new PinCookies({ secrets, application, name: undefined, sessionCookie: 'PHPSESSID' });
    const issuedSeconds = Math.floor(Date.now() / 1000);
    return (session, backend) => {
      const [pod] = signer.podDigests(backend, '');
      const ofSession = signer.sessionDigest(session);
      const token = signer.write({ pod, session: ofSession, epoch: 0, issuedSeconds, expiresSeconds: 0 });
      return `PHPSESSID=${session}; ${name}=${token}`;
    };
  },
  async start(place) {
    const { backends } = place;
    return {
      front: await startGateway(place, { store: { url: 'memory:' }, affinity: { pinKey: key }, pods: backends }),
    };
  },
};

/** The sidecars pass on and keep nothing. */
export const holdfastChain: Contender = {
  name: 'Holdfast, with sidecars',
  how: 'signed pin cookie; all processes counted',
  version,
  start: (place) => startChain(place, { ignored: ['/'] }),
};

export const holdfastKept: Contender = {
  name: 'Holdfast, sessions kept',
  how: 'the same, each session confirmed in Redis',
  version,
  start: (place) => startChain(place, { ignored: [] }),
};

interface GatewaySettings {
  readonly store: object;
  readonly affinity?: object;
  readonly pods: readonly Backend[];
}

async function startGateway(place: Place, settings: GatewaySettings): Promise<RunningProcess> {
  const { processes, folder, port, traffic, tls, workers = 1, pinned } = place;
  const file = join(folder, 'gateway.json');
  const address = `127.0.0.1:${port}`;
  const secure = tls === undefined ? undefined : { certificate: `file:${tls.certificate}`, key: `file:${tls.key}` };
  const configuration = {
    role: 'gateway',
    listen: secure === undefined ? address : [{ address, tls: secure }],
    admin: `127.0.0.1:${await freePort()}`,
    session: traffic.session,
    store: settings.store,
    log: { access: false },
    limits: { connections: 16_000 },
    pods: { static: settings.pods.map((pod) => `${pod.name}=${pod.host}:${pod.port}`) },
    affinity: settings.affinity ?? {},
    ...(workers === 1 ? {} : { workers }),
  };
  await writeFile(file, JSON.stringify(configuration, undefined, 2));
  return processes.start('holdfast gateway', pinned(holdfastCommand(file)));
}

async function startChain(place: Place, options: { readonly ignored: readonly string[] }) {
  const { processes, backends, pinnedBeside, traffic } = place;
  const redisPort = await freePort();
  const durable = ['--save', '', '--appendonly', 'no'];
  const redis = processes.start(
    'redis',
    pinnedBeside(['redis-server', '--port', String(redisPort), '--bind', '127.0.0.1', ...durable]),
  );
  const store = { url: `redis://127.0.0.1:${redisPort}`, key };
  const ports = await freePorts(backends.length);
  const pods = backends.map(({ name }, index) => ({ name, host: '127.0.0.1', port: ports[index]! }));
  const sidecars: RunningProcess[] = [];
  for (const [index, pod] of pods.entries()) {
    sidecars.push(await startSidecar(place, { pod, application: backends[index]!, store, ...options }));
  }
  const front = await startGateway(place, { store, pods });
  const prepare = (visitors: readonly Visitor[]) => writeSessions(place, { visitors, cookie: traffic.cookie });
  return { front, behind: sidecars, beside: [redis], ...(options.ignored.length === 0 ? { prepare } : {}) };
}

async function startSidecar(
  place: Place,
  settings: {
    readonly pod: Backend;
    readonly application: Backend;
    readonly store: object;
    readonly ignored: readonly string[];
  },
): Promise<RunningProcess> {
  const { processes, folder, traffic, pinned } = place;
  const { pod, application, store, ignored } = settings;
  const [peerPort, probesPort] = (await freePorts(2)) as [number, number];
  const directory = sessionsOf(place, pod.name);
  await mkdir(directory);
  const file = join(folder, `${pod.name}.json`);
  const configuration = {
    role: 'sidecar',
    listen: `127.0.0.1:${pod.port}`,
    admin: 'off',
    probes: `127.0.0.1:${probesPort}`,
    session: traffic.session,
    store,
    log: { access: false },
    pod: { name: pod.name },
    peer: { listen: `127.0.0.1:${peerPort}` },
    application: `${application.host}:${application.port}`,
    sessions: { directory, ignore: { paths: ignored } },
  };
  await writeFile(file, JSON.stringify(configuration, undefined, 2));
  const sidecar = processes.start(`holdfast ${pod.name}`, pinned(holdfastCommand(file)));
  await sidecar.ready('is ready', async () => (await fetch(`http://127.0.0.1:${probesPort}/readyz`)).ok, {
    deadlineMs: readyMs,
  });
  return sidecar;
}

/** The backends here keep no sessions; what an application would have written stands in its pod's directory. */
async function writeSessions(
  place: Place,
  given: { readonly visitors: readonly Visitor[]; readonly cookie: string },
): Promise<void> {
  for (const { cookie, backend } of given.visitors) {
    const id = new RegExp(`(?:^|; )${given.cookie}=([^;]*)`).exec(cookie)![1]!;
    const directory = sessionsOf(place, backend);
    const file = join(directory, `sess_${id}`);
    // At once, as far as anybody who watches can see.
    await writeFile(join(directory, 'new'), sessionText, { mode: 0o600 });
    await rename(join(directory, 'new'), file);
  }
}

function sessionsOf({ folder }: Place, pod: string): string {
  return join(folder, `${pod}-sessions`);
}

function holdfastCommand(file: string): readonly [string, ...string[]] {
  // As the image starts it (Dockerfile).
  return [nodeProgram, '--max-semi-space-size=8', join(repositoryRoot, 'dist/cli.js'), 'run', '--config', file];
}
