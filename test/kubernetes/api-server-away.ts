/**
 * The API server dies, comes back and freezes under users who count. Not one of the suite's files: it has to reach the node,
 * which only a cluster of HOLDFAST_KUBE lets it do, and a watch's silence takes a minute and a half to be noticed.
 *
 *   HOLDFAST_KUBE=PROGRAM make kubernetes FILES=test/kubernetes/api-server-away.ts
 *
 * The users run on the node: what runs inside by kubectl ends with the API server.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { CheckerOptions } from '../support/session-checker.ts';
import { nodeProgram, repositoryRoot } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { CheckerInPod, nothingLost } from './checker-in-pod.ts';
import { type ClusterHandle, clusterTest, endGroup, handleVariable, type Namespace } from './cluster.ts';
import { Stack } from './stack.ts';

const program = 'kube-apiserver';
const timeouts = { store: '2s', lookup: '1s' };
/** A watch over which nothing comes is given up after 90 s. */
const silenceMs = 200_000;

clusterTest('an API server that is killed, comes back and freezes loses nothing of anybody', async (t, namespace) => {
  const node = Node.ofTheCluster();
  const stack = await Stack.deploy(namespace, { gateway: { timeouts }, sidecar: { timeouts } });
  const found = await addresses(namespace, 'holdfast-gateway');
  const gateways = found.map((address) => new Gateway(node, address));
  // Not by the Service: a node whose kubelet can not say that it lives is no place for Services to lead to.
  const origins = found.map((address) => `http://${address}:8080`);
  const given = { users: 6, application: stack.traits, thinkMs: 60, timeoutMs: 30_000 };
  const checker = await node.checker(t, { ...given, origins, seed: 91 });
  await checker.more(60);

  const arguments_ = await node.argumentsOf(program);
  await node.run(`kill -9 $(pidof ${program})`);
  await each(gateways, 'says that the API server is away', (gateway) => gateway.up(0));
  await checker.more(200);
  for (const gateway of gateways) {
    assert.match(await gateway.page('/readyz'), /degraded/);
    assert.equal(await gateway.figure('holdfast_pods{state="ready"}'), 3, 'the last known pods stay');
  }

  node.startAgain(arguments_);
  await each(gateways, 'hears the API server again', (gateway) => gateway.up(1));
  t.diagnostic(`failures so far, by kind: ${await gateways[0]!.errors()}`);
  await namespace.until('kubectl reaches it', () => namespace.kubectl(['get', 'namespace', namespace.name]));
  await stack.scaleTo(4);
  await each(
    gateways,
    'sees the fourth pod',
    async (gateway) => (await gateway.figure('holdfast_pods{state="ready"}')) === 4,
  );
  await checker.more(60);

  await node.run(`kill -STOP $(pidof ${program})`);
  t.after(() => node.run(`kill -CONT $(pidof ${program})`));
  await each(gateways, 'has noticed the silence', (gateway) => gateway.up(0));
  await checker.more(60);
  for (const gateway of gateways) assert.equal(await gateway.figure('holdfast_pods{state="ready"}'), 4);
  await node.run(`kill -CONT $(pidof ${program})`);
  await each(gateways, 'hears the API server again', (gateway) => gateway.up(1));
  t.diagnostic(`failures, by kind: ${await gateways[0]!.errors()}`);
  await checker.more(60);
  const judgement = await checker.stop();
  t.diagnostic(
    `${judgement.verdict.answers} answers, ${JSON.stringify(judgement.verdict.errors)} ${judgement.failures.join()}`,
  );
  nothingLost(judgement);
});

function each(
  gateways: readonly Gateway[],
  what: string,
  check: (gateway: Gateway) => Promise<boolean>,
): Promise<true> {
  return until(`each gateway ${what}`, async () => (await Promise.all(gateways.map(check))).every(Boolean), {
    deadlineMs: silenceMs,
    pollMs: 500,
  });
}

async function addresses(namespace: Namespace, app: string): Promise<readonly string[]> {
  const path = 'jsonpath={.items[*].status.podIP}';
  const text = await namespace.kubectl(['get', 'pods', '-l', `app.kubernetes.io/name=${app}`, '-o', path]);
  return text.split(' ');
}

/** One gateway's probes, asked from the node. */
class Gateway {
  readonly #node: Node;
  readonly #address: string;

  constructor(node: Node, address: string) {
    this.#node = node;
    this.#address = address;
  }

  page(path: string): Promise<string> {
    return this.#node.run(`curl -s --max-time 5 http://${this.#address}:9903${path}`);
  }

  async figure(series: string): Promise<number> {
    const line = (await this.page('/metrics')).split('\n').find((text) => text.startsWith(`${series} `));
    return Number(line?.slice(series.length));
  }

  async up(wanted: 0 | 1): Promise<boolean> {
    return (await this.figure('holdfast_discovery_up')) === wanted;
  }

  async errors(): Promise<string> {
    const lines = (await this.page('/metrics'))
      .split('\n')
      .filter((line) => line.startsWith('holdfast_discovery_errors'));
    return lines.map((line) => line.replace(/.*kind="([^"]*)"\} /, '$1 ')).join(', ');
  }
}

/** The node that the cluster's program runs; commands there see all its processes. */
class Node {
  readonly #exec: readonly string[];
  readonly #folder: string;

  private constructor(tool: string, folder: string) {
    this.#exec = [tool, 'exec', folder];
    this.#folder = folder;
  }

  static ofTheCluster(): Node {
    const { kubectl } = JSON.parse(process.env[handleVariable] ?? '') as ClusterHandle;
    const [tool, kind, folder] = kubectl;
    if (kind !== 'kubectl' || folder === undefined) throw new Error('needs a cluster of HOLDFAST_KUBE');
    return new Node(tool!, folder);
  }

  /** A shell's output. @throws Error where it fails */
  async run(script: string): Promise<string> {
    const started = this.#start(['sh', '-c', script]);
    let output = '';
    started.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
    const code = await new Promise((resolve) => started.once('close', resolve));
    if (code !== 0) throw new Error(`${script} ended with ${String(code)}: ${output}`);
    return output;
  }

  /** How a program was started. */
  async argumentsOf(name: string): Promise<readonly string[]> {
    return (await this.run(`cat /proc/$(pidof ${name})/cmdline`)).split('\0').filter((word) => word !== '');
  }

  /** In its folder, with its log; it outlives the test. */
  startAgain(words: readonly string[]): void {
    const script = 'cd "$0" && exec setsid "$@" >> apiserver.log 2>&1';
    const [tool, ...first] = this.#exec;
    spawn(tool!, [...first, 'sh', '-c', script, this.#folder, ...words], { stdio: 'ignore', detached: true }).unref();
  }

  async checker(t: TestContext, options: Omit<CheckerOptions, 'observe'>): Promise<CheckerInPod> {
    const script = join(repositoryRoot, 'test/kubernetes/in-pod/checker-process.ts');
    const started = this.#start([nodeProgram, script, JSON.stringify(options)]);
    t.after(() => endGroup(started));
    const checker = new CheckerInPod(started);
    await checker.more(1);
    return checker;
  }

  #start(command: readonly string[]): ChildProcess {
    const [tool, ...first] = this.#exec;
    return spawn(tool!, [...first, ...command], { stdio: 'pipe', detached: true });
  }
}
