/** One round: a gateway process before one reader, alone or with a sidecar behind it, all cases through it, and the verdict. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort, freePorts } from '../support/free-port.ts';
import { request } from 'undici';
import { nodeProgram, Processes, repositoryRoot, type RunningProcess } from '../support/processes.ts';
import { RedisServer } from '../support/redis-server.ts';
import { until } from '../support/until.ts';
import { askAll } from './ask.ts';
import type { StreamCase } from './cases.ts';
import { judge, type Verdicts } from './judge.ts';
import { type Reader, RunningReader } from './readers.ts';
import { Recorder } from './recorder.ts';

const casesAtOnce = 12;

/** `folder`: empty, and others may go through it. `chain`: what the reader gets has passed a sidecar too. */
export async function runRound(
  reader: Reader,
  cases: readonly StreamCase[],
  { folder, chain = false }: { readonly folder: string; readonly chain?: boolean },
): Promise<Verdicts> {
  const processes = new Processes();
  const redis = chain ? await RedisServer.start() : undefined;
  const [port, innerPort, gatewayPort] = (await freePorts(3)) as [number, number, number];
  const storage = join(folder, 'reader');
  mkdirSync(storage, { recursive: true });
  try {
    const running = new RunningReader(reader, { port, innerPort, storage }, processes);
    await Promise.all([port, reader.isProxy === true ? innerPort : port].map((each) => accepts(each, reader.name)));
    const recorder = await Recorder.start(port);
    try {
      const podPort =
        redis !== undefined
          ? await startSidecar(processes, { applicationPort: recorder.port, folder, store: redis.url })
          : recorder.port;
      await startGateway(processes, { port: gatewayPort, podPort, folder, store: redis?.url });
      const answers = await askAll(gatewayPort, cases, casesAtOnce);
      await until('the last request is noted', () => settled(running, recorder));
      return judge({ reader, cases, answers, recordings: recorder.recordings, seen: running.seen() });
    } finally {
      recorder.close();
    }
  } finally {
    await processes.close();
    await redis?.stop();
  }
}

/** Every answer has left, and no application writes any more. */
function settled(running: RunningReader, recorder: Recorder): boolean {
  const answers = recorder.recordings.reduce((sum, { answered }) => sum + answered.split('\r\n\r\nseen').length - 1, 0);
  return running.seen().length >= answers;
}

export async function accepts(port: number, name: string): Promise<void> {
  await until(
    `${name} accepts connections`,
    () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(port, '127.0.0.1');
        socket.once('connect', () => resolve(true));
        socket.once('error', () => resolve(false));
        socket.on('connect', () => socket.destroy());
      }),
  );
}

/** As the corpus goes by. */
const limits = { headBytes: '32000', targetBytes: '8000' };
/** Longer than any machine sleeps: nothing here is about them. */
const timeouts = { connect: '20s', store: '5s', sync: '20s', lookup: '2s' };
const secret = 'a key for requests that are made up';

/** The gateway as it is deployed, in front of one bare application or of its sidecar. */
export async function startGateway(
  processes: Processes,
  {
    port,
    podPort,
    folder,
    store,
  }: { readonly port: number; readonly podPort: number; readonly folder: string; readonly store?: string | undefined },
): Promise<RunningProcess> {
  const file = join(folder, 'gateway.json');
  const probesPort = await freePort();
  const configuration = {
    role: 'gateway',
    listen: `127.0.0.1:${port}`,
    admin: `unix:${join(folder, 'admin.sock')}`,
    probes: `127.0.0.1:${probesPort}`,
    session: { preset: 'php' },
    store: store === undefined ? { url: 'memory:' } : { url: store, key: 'env:STORE_KEY' },
    pods: { static: [`reader=127.0.0.1:${podPort}`], sidecars: store !== undefined },
    affinity: { pinKey: 'env:PIN_KEY' },
    log: { level: 'warn', access: false },
    limits,
    timeouts,
  };
  writeFileSync(file, JSON.stringify(configuration));
  const cli = join(repositoryRoot, 'src/cli.ts');
  const gateway = processes.start('gateway', [nodeProgram, cli, 'run', '--config', file], {
    env: { PIN_KEY: secret, STORE_KEY: secret },
  });
  await gateway.ready(
    'is ready',
    async () => (await request(`http://127.0.0.1:${probesPort}/readyz`)).statusCode === 200,
  );
  return gateway;
}

/** The sidecar of the application, as it is deployed, with the same limits as the gateway. @returns its port */
export async function startSidecar(
  processes: Processes,
  {
    applicationPort,
    folder,
    store,
  }: { readonly applicationPort: number; readonly folder: string; readonly store: string },
): Promise<number> {
  const [port, peerPort, probesPort] = (await freePorts(3)) as [number, number, number];
  const directory = join(folder, 'sessions');
  mkdirSync(directory);
  const file = join(folder, 'sidecar.json');
  const configuration = {
    role: 'sidecar',
    listen: `127.0.0.1:${port}`,
    admin: 'off',
    probes: `127.0.0.1:${probesPort}`,
    session: { preset: 'php' },
    store: { url: store, key: 'env:STORE_KEY' },
    pod: { name: 'reader' },
    peer: { listen: `127.0.0.1:${peerPort}` },
    application: `127.0.0.1:${applicationPort}`,
    sessions: { directory },
    log: { level: 'warn', access: false },
    limits,
    timeouts,
  };
  writeFileSync(file, JSON.stringify(configuration));
  const cli = join(repositoryRoot, 'src/cli.ts');
  const sidecar = processes.start('sidecar', [nodeProgram, cli, 'run', '--config', file], {
    env: { STORE_KEY: secret },
  });
  await sidecar.ready(
    'is ready',
    async () => (await request(`http://127.0.0.1:${probesPort}/readyz`)).statusCode === 200,
  );
  return port;
}
