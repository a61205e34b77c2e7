/**
 * Which cluster the tests run in, and how they reach it:
 *
 *   HOLDFAST_KUBE=PROGRAM                         a cluster of its own: PROGRAM up DIR, image DIR TAR, kubectl DIR ..., down DIR
 *   HOLDFAST_KUBE=PROGRAM HOLDFAST_KUBE_DIR=DIR   one that PROGRAM has started in DIR; it stays
 *   KUBECONFIG=FILE                               any cluster, by kubectl; HOLDFAST_KUBE_LOAD is a command that brings an
 *                                                 image's archive, its last argument, to the nodes (kind load image-archive)
 */

import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Its programs are unpacked at the first time, while images are built beside it. */
const upMs = 900_000;
const loadMs = 600_000;

export interface ChosenCluster {
  /** What `kubectl` is here: a program and its first arguments. */
  readonly kubectl: readonly string[];
  /** Resolves when it has a node. */
  up(): Promise<void>;
  /** Imports a docker-archive. */
  load(archive: string): Promise<void>;
  /** Ends what up() started; nothing else. */
  down(): Promise<void>;
}

/** Undefined: there is none. */
export async function chooseCluster(env: NodeJS.ProcessEnv): Promise<ChosenCluster | undefined> {
  const program = env['HOLDFAST_KUBE'];
  const folder = env['HOLDFAST_KUBE_DIR'];
  if (program)
    return folder ? kept(program, folder) : started(program, await mkdtemp(join(tmpdir(), 'holdfast-kube-')));
  if (env['KUBECONFIG']) return foreign(env['HOLDFAST_KUBE_LOAD']);
  return undefined;
}

function kept(program: string, folder: string): ChosenCluster {
  return {
    kubectl: [program, 'kubectl', folder],
    up: () => Promise.resolve(),
    load: (archive) => command(program, ['image', folder, archive], loadMs),
    down: () => Promise.resolve(),
  };
}

function started(program: string, folder: string): ChosenCluster {
  let guard: ChildProcess | undefined;
  return {
    ...kept(program, folder),
    up() {
      guard = guarded(program, folder);
      return command(program, ['up', folder], upMs);
    },
    async down() {
      if (guard === undefined) return;
      const ended = new Promise((resolve) => guard?.once('close', resolve));
      guard.stdin?.end();
      await ended;
    },
  };
}

/** Takes the cluster down when this process ends, also by kill -9: its end of the pipe is closed then. */
function guarded(program: string, folder: string): ChildProcess {
  const script = 'read -r line; exec "$0" down "$1"';
  return spawn('sh', ['-c', script, program, folder], { detached: true, stdio: ['pipe', 'ignore', 'inherit'] });
}

function foreign(loader: string | undefined): ChosenCluster {
  return {
    kubectl: ['kubectl'],
    up: () => command('kubectl', ['get', 'nodes'], upMs),
    load(archive) {
      if (!loader)
        throw new Error('set HOLDFAST_KUBE_LOAD, such as "kind load image-archive": images have to get there');
      return command('sh', ['-c', `${loader} "$0"`, archive], loadMs);
    },
    down: () => Promise.resolve(),
  };
}

async function command(program: string, args: readonly string[], timeout: number): Promise<void> {
  await run(program, args, { timeout, killSignal: 'SIGKILL' });
}
