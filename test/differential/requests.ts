/** One round: a gateway process before one reader, all cases through it, and the verdict. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort, freePorts } from '../support/free-port.ts';
import { request } from 'undici';
import { nodeProgram, Processes, repositoryRoot, type RunningProcess } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { askAll } from './ask.ts';
import type { StreamCase } from './cases.ts';
import { judge, type Verdicts } from './judge.ts';
import { type Reader, RunningReader } from './readers.ts';
import { Recorder } from './recorder.ts';

const casesAtOnce = 12;

/** `folder`: empty, and others may go through it. */
export async function runRound(reader: Reader, cases: readonly StreamCase[], folder: string): Promise<Verdicts> {
  const processes = new Processes();
  const [port, innerPort, gatewayPort] = (await freePorts(3)) as [number, number, number];
  const storage = join(folder, 'reader');
  mkdirSync(storage, { recursive: true });
  try {
    const running = new RunningReader(reader, { port, innerPort, storage }, processes);
    await Promise.all([port, reader.isProxy === true ? innerPort : port].map((each) => accepts(each, reader.name)));
    const recorder = await Recorder.start(port);
    try {
      await startGateway(processes, { port: gatewayPort, podPort: recorder.port, folder });
      const answers = await askAll(gatewayPort, cases, casesAtOnce);
      await until('the last request is noted', () => settled(running, recorder));
      return judge({ reader, cases, answers, recordings: recorder.recordings, seen: running.seen() });
    } finally {
      recorder.close();
    }
  } finally {
    await processes.close();
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

/** The gateway as it is deployed, in front of one bare application. */
export async function startGateway(
  processes: Processes,
  { port, podPort, folder }: { readonly port: number; readonly podPort: number; readonly folder: string },
): Promise<RunningProcess> {
  const file = join(folder, 'gateway.json');
  const probesPort = await freePort();
  const configuration = {
    role: 'gateway',
    listen: `127.0.0.1:${port}`,
    admin: `unix:${join(folder, 'admin.sock')}`,
    probes: `127.0.0.1:${probesPort}`,
    session: { preset: 'php' },
    store: { url: 'memory:' },
    pods: { static: [`reader=127.0.0.1:${podPort}`], sidecars: false },
    affinity: { pinKey: 'env:PIN_KEY' },
    log: { level: 'warn', access: false },
    // As the corpus goes by.
    limits: { headBytes: '32000', targetBytes: '8000' },
  };
  writeFileSync(file, JSON.stringify(configuration));
  const cli = join(repositoryRoot, 'src/cli.ts');
  const gateway = processes.start('gateway', [nodeProgram, cli, 'run', '--config', file], {
    env: { PIN_KEY: 'a key for requests that are made up' },
  });
  await gateway.ready(
    'is ready',
    async () => (await request(`http://127.0.0.1:${probesPort}/readyz`)).statusCode === 200,
  );
  return gateway;
}
