/** One round the other way: a gateway process before a scripted upstream, every client through it, and the verdict. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { Processes } from '../support/processes.ts';
import { until } from '../support/until.ts';
import type { ResponseCase } from './cases.ts';
import { type Gotten, type ResponseReader, responseReaders } from './clients.ts';
import { judgeResponses, type ResponseVerdicts, type Worth, worthOf } from './judge-responses.ts';
import { haproxyProgram, nginxProgram } from './readers.ts';
import { accepts, startGateway } from './requests.ts';
import { ScriptedUpstream } from './scripted-upstream.ts';

/** `folder`: empty, and others may go through it. */
export async function runResponses(all: readonly ResponseCase[], folder: string): Promise<ResponseVerdicts> {
  const processes = new Processes();
  const worths = all.map(worthOf);
  // What follows a complete answer comes with it: alone, it could be read as the answer to the next request by anybody.
  const cases = all.map((entry, index) => {
    const { kind, persists, needsEnd } = worths[index]!;
    return { ...entry, ends: needsEnd, pieces: kind === 'good' && !persists ? [entry.bytes] : entry.pieces };
  });
  const upstream = await ScriptedUpstream.start(cases);
  try {
    const port = await freePort();
    await startGateway(processes, { port, podPort: upstream.port, folder });
    const gotten = new Map<ResponseReader, Map<number, Gotten>>();
    for (const reader of responseReaders) {
      const own = join(folder, reader.name.replace(':', '-'));
      mkdirSync(own);
      const asked =
        reader.behind === undefined ? port : await startProxy(processes, reader.behind, { port, folder: own });
      const wanted = cases
        .map(({ method }, index) => ({ index, method }))
        .filter(({ index }) => isShown(reader, worths[index]!));
      const answers = await reader.ask({ port: asked, wanted, folder: own });
      gotten.set(reader, new Map(wanted.map(({ index }, at) => [index, answers[at]!])));
    }
    await until('every connection that is not to be used again has ended', () =>
      upstream.connections.every(({ targets, closed }) => closed || isUsable(targets.at(-1) ?? '', worths)),
    );
    return judgeResponses({ cases, worths, gotten, connections: upstream.connections });
  } finally {
    upstream.close();
    await processes.close();
  }
}

function isShown({ missesBehindInterim }: ResponseReader, { interim, kind }: Worth): boolean {
  if (!interim || missesBehindInterim === undefined) return true;
  return missesBehindInterim === 'cuts' && kind === 'good';
}

function isUsable(target: string, worths: readonly Worth[]): boolean {
  const [, kind, , number] = target.split('/');
  return kind !== 'case' || worths[Number(number)]!.persists;
}

async function startProxy(
  processes: Processes,
  behind: 'nginx' | 'haproxy',
  { port, folder }: { readonly port: number; readonly folder: string },
): Promise<number> {
  const proxyPort = await freePort();
  const program = behind === 'nginx' ? nginxProgram : haproxyProgram;
  const command = program({ port: proxyPort, innerPort: port, storage: folder });
  processes.start(behind, ['/bin/sh', '-c', `exec ${command}`]);
  await accepts(proxyPort, behind);
  return proxyPort;
}
