/**
 * The Kubernetes suite: one cluster for all its files, the images brought there, the files one after the other, the cluster
 * taken down whatever happened. `make test` runs it behind everything else. Where there is no cluster, the tests are counted
 * and reported as not run.
 *
 *   node test/kubernetes/run.ts [FILE ...] [--only PATTERN]        PATTERN: a part of tests' names
 *
 * chosen-cluster.ts says how a cluster is named.
 */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { nodeProgram, repositoryRoot } from '../support/processes.ts';
import { chooseCluster } from './chosen-cluster.ts';
import type { ChosenCluster } from './chosen-cluster.ts';
import { handleVariable } from './cluster.ts';
import type { ClusterHandle } from './cluster.ts';
import { buildImages } from './images.ts';
import type { Images } from './images.ts';

/** One test with all its parts, of which there are up to seven. */
const testMs = 1_800_000;
/** As manifests/image/build has it. */
const work = process.env['WORK'] ?? '/var/tmp/holdfast-image';

let child: ChildProcess | undefined;
const stopping = new AbortController();
/** Asked anew after each wait. */
const isStopping = (): boolean => stopping.signal.aborted;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    stopping.abort();
    child?.kill(signal);
  });
}

const { positionals, values } = parseArgs({ allowPositionals: true, options: { only: { type: 'string' } } });
const files = positionals.length > 0 ? positionals : await allFiles();
const cluster = await chooseCluster(process.env);
process.exitCode = cluster === undefined ? await report() : await runIn(cluster);

async function allFiles(): Promise<readonly string[]> {
  const names = await readdir(import.meta.dirname);
  return names
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => join(import.meta.dirname, name));
}

/** How many tests are not run, and what would make them run. */
async function report(): Promise<number> {
  const { code, output } = await nodeTest({ [handleVariable]: '' }, { isShown: false });
  const count = /^# skipped (\d+)$/m.exec(output)?.[1] ?? 'the';
  if (code !== 0) console.error(output);
  console.log(
    `Kubernetes: ${count} tests in ${files.length} files were NOT RUN, for want of a cluster: ` +
      'set HOLDFAST_KUBE=PROGRAM or KUBECONFIG=FILE (test/kubernetes/README.md).',
  );
  return code;
}

async function runIn(cluster: ChosenCluster): Promise<number> {
  const began = performance.now();
  try {
    const up = timed('cluster up', cluster.up());
    up.catch(() => undefined);
    const images = await bringImages(cluster, up);
    await up;
    if (isStopping()) return 130;
    const handle: ClusterHandle = { kubectl: cluster.kubectl, images };
    const { code } = await timed('tests', nodeTest({ [handleVariable]: JSON.stringify(handle) }, { isShown: true }));
    return isStopping() ? 130 : code;
  } finally {
    await timed('cluster down', cluster.down());
    say('all together', began);
  }
}

/** Builds and imports; the cluster starts meanwhile. */
async function bringImages(cluster: ChosenCluster, up: Promise<void>): Promise<Images> {
  const references: Partial<Record<keyof Images, string>> = {};
  let began = performance.now();
  for await (const { name, reference, archive } of buildImages(join(work, 'archives'))) {
    say(`image ${name} built`, began);
    await up;
    began = performance.now();
    const imported = await importedImages(cluster);
    if (!imported.has(reference)) {
      await cluster.load(archive);
      await imported.add(reference);
      say(`image ${name} imported`, began);
    }
    references[name] = reference;
    began = performance.now();
    if (isStopping()) break;
  }
  return references as Images;
}

/** Importing takes seconds: what this cluster has got from here before is not imported again. */
async function importedImages(
  cluster: ChosenCluster,
): Promise<{ has(reference: string): boolean; add(reference: string): Promise<void> }> {
  const [program, ...first] = cluster.kubectl;
  const args = [...first, 'get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}'];
  const { code, output } = await ended(spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] }));
  if (code !== 0 || output.trim() === '')
    throw new Error(`${cluster.kubectl.join(' ')} ${args.join(' ')} ended with ${code}`);
  const folder = join(work, 'imported');
  await mkdir(folder, { recursive: true });
  const note = join(folder, output.trim());
  const known = await readFile(note, 'utf8').catch(() => '');
  return {
    has: (reference) => known.split('\n').includes(reference),
    // Only now: an import that failed is tried again.
    add: (reference) => writeFile(note, `${known}${reference}\n`),
  };
}

function nodeTest(env: Readonly<Record<string, string>>, shown: { readonly isShown: boolean }): Promise<Ended> {
  const only = values.only === undefined ? [] : [`--test-name-pattern=${values.only}`];
  const args = ['--test', '--test-concurrency=1', `--test-timeout=${testMs}`, ...only];
  const started = spawn(nodeProgram, [...args, ...(shown.isShown ? [] : ['--test-reporter=tap']), ...files], {
    cwd: repositoryRoot,
    env: { ...process.env, ...env },
    stdio: ['ignore', shown.isShown ? 'inherit' : 'pipe', 'inherit'],
  });
  child = started;
  return ended(started);
}

interface Ended {
  readonly code: number;
  readonly output: string;
}

function ended(started: ChildProcess): Promise<Ended> {
  let output = '';
  started.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    started.once('error', reject);
    started.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

async function timed<T>(what: string, work: Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await work;
  say(what, began);
  return result;
}

function say(what: string, beganMs: number): void {
  console.log(`Kubernetes: ${what}, ${((performance.now() - beganMs) / 1000).toFixed(1)} s`);
}
