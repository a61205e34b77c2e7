/**
 * The cluster as tests see it: a namespace for each test, objects applied, kubectl, and programs run inside, where Services
 * can be reached. A test here is `clusterTest('its promise', async (t, namespace) => ...)`; without a cluster it is skipped,
 * which run.ts counts and reports.
 *
 * Must not know Holdfast.
 */

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { until } from '../support/until.ts';
import type { Images } from './images.ts';

/** Set by run.ts: a ClusterHandle as JSON; empty: no cluster. */
export const handleVariable = 'HOLDFAST_TEST_CLUSTER';

export interface ClusterHandle {
  readonly kubectl: readonly string[];
  readonly images: Images;
}

/** A Kubernetes object, as JSON has it. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

export interface Output {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** kubectl and what it waits for. */
const commandMs = 180_000;
const outputCharsMax = 64 * 1024 * 1024;
/** Machines are busy, and images have to be unpacked. */
const readyMs = 360_000;
/** Between two looks by kubectl, each of which costs a tenth of a second of processor time. */
const pollMs = 500;
const lastLines = 40;

export function clusterTest(promise: string, body: (t: TestContext, namespace: Namespace) => Promise<void>): void {
  const text = process.env[handleVariable];
  if (text === undefined) throw new Error(`run these tests by node test/kubernetes/run.ts (${promise})`);
  if (text === '') return void test(promise, { skip: 'no cluster' });
  const handle = JSON.parse(text) as ClusterHandle;
  test(promise, async (t) => body(t, await Namespace.create(t, handle)));
}

/** A namespace under Pod Security `restricted`; it and all in it is deleted when the test ends. */
export class Namespace {
  readonly name: string;
  readonly images: Images;
  readonly #handle: ClusterHandle;
  #hasToolbox = false;

  /** Use clusterTest() or Namespace.create(). */
  constructor(name: string, handle: ClusterHandle) {
    this.name = name;
    this.images = handle.images;
    this.#handle = handle;
  }

  static async create(t: TestContext, handle: ClusterHandle): Promise<Namespace> {
    const unique = `${process.pid.toString(36)}${Date.now().toString(36).slice(-5)}`;
    const namespace = new Namespace(`${process.env['HOLDFAST_KUBE_PREFIX'] ?? 'holdfast'}-${unique}`, handle);
    // What is to be done after a test is done in this order: the namespace goes last.
    namespace.tellsOfFailure(t);
    t.after(() => namespace.#delete());
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    await namespace.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace.name, namespace: '', labels } },
    ]);
    return namespace;
  }

  /** A failed test shows the pods, the events and the end of each container's log. A subtest says for itself that it may fail. */
  tellsOfFailure(t: TestContext): void {
    t.after(async () => {
      if (!t.passed) t.diagnostic(await this.lastWords());
    });
  }

  /** Objects without a namespace get this one. */
  async apply(objects: readonly KubernetesObject[]): Promise<void> {
    const items = objects.map((object) => ({ ...object, metadata: { namespace: this.name, ...object.metadata } }));
    await this.kubectl(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) });
  }

  /**
   * kubectl in this namespace; its standard output.
   * @throws Error with what kubectl said where it failed or took longer than `timeoutMs` (three minutes).
   */
  async kubectl(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.tryKubectl(args, options);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  /** As kubectl(), for calls that may fail. */
  tryKubectl(args: readonly string[], options: CommandOptions = {}): Promise<Output> {
    return collect(this.startKubectl(args), options);
  }

  /** For calls that go on, such as `exec -i` and `logs -f`; whoever starts one ends it. */
  startKubectl(args: readonly string[]): ChildProcess {
    const [program, ...first] = this.#handle.kubectl;
    return spawn(program!, [...first, '--namespace', this.name, ...args], { stdio: 'pipe', detached: true });
  }

  /** An object or a list of them, as JSON. */
  async get<T = KubernetesObject>(...what: readonly string[]): Promise<T> {
    return JSON.parse(await this.kubectl(['get', ...what, '-o', 'json'])) as T;
  }

  /** Waits for a rollout's end: `deployment/x`, `statefulset/x`. */
  async rolledOut(workload: string, timeoutMs = readyMs): Promise<void> {
    await this.kubectl(['rollout', 'status', workload, `--timeout=${Math.round(timeoutMs / 1000)}s`], {
      timeoutMs: timeoutMs + commandMs,
    });
  }

  /** As until(), for a check that costs a call of kubectl. */
  async until<T>(what: string, check: () => Promise<T>, deadlineMs = readyMs): ReturnType<typeof until<T>> {
    return until(what, check, { deadlineMs, pollMs });
  }

  /**
   * Runs a program in a pod of this namespace that has Node, undici and the tests' support: `inside('node', '-e', ...)`.
   * @throws Error where it fails.
   */
  async inside(command: readonly string[], options: CommandOptions = {}): Promise<string> {
    return this.kubectl(['exec', '-i', await this.toolbox(), '--', ...command], options);
  }

  /**
   * The answer to a GET from inside the cluster. A Service leads to a Ready pod, and has a name, only a moment after it could: while
   * nobody takes the connection, it is tried again.
   */
  async fetch(url: string, headers: Readonly<Record<string, string>> = {}): Promise<InsideAnswer> {
    const script =
      'const [url, headers] = process.argv.slice(1);' +
      'const signal = AbortSignal.timeout(60000);' +
      'const ask = () => fetch(url, { headers: JSON.parse(headers), redirect: "manual", signal });' +
      'const notYet = ["ECONNREFUSED", "EHOSTUNREACH", "ENOTFOUND", "EAI_AGAIN"];' +
      'const again = async (error) => { if (signal.aborted || !notYet.includes(error.cause?.code)) throw error;' +
      ' await new Promise((resolve) => setTimeout(resolve, 200)); return ask().catch(again); };' +
      'const answer = await ask().catch(again);' +
      'console.log(JSON.stringify({ status: answer.status, headers: [...answer.headers], text: await answer.text() }))';
    const text = await this.inside(['node', '--input-type=module', '-e', script, url, JSON.stringify(headers)]);
    return JSON.parse(text) as InsideAnswer;
  }

  /** The name of the pod that inside() uses; it is started once. */
  async toolbox(): Promise<string> {
    if (!this.#hasToolbox) {
      await this.apply([plainPod('toolbox', { image: this.images.checker })]);
      this.#hasToolbox = true;
    }
    await this.kubectl(['wait', '--for=condition=Ready', 'pod/toolbox', `--timeout=${readyMs / 1000}s`], {
      timeoutMs: readyMs + commandMs,
    });
    return 'toolbox';
  }

  /** What there is to see after a failure. */
  async lastWords(): Promise<string> {
    const said: string[] = [];
    for (const args of [
      ['get', 'pods', '-o', 'wide'],
      ['get', 'events', '--sort-by=.lastTimestamp'],
    ]) {
      const { stdout, stderr } = await this.tryKubectl(args);
      said.push(`--- kubectl ${args.join(' ')}\n${(stdout + stderr).split('\n').slice(-lastLines).join('\n')}`);
    }
    const { stdout } = await this.tryKubectl(['get', 'pods', '-o', 'name']);
    for (const pod of stdout.split('\n').filter((name) => name !== '')) {
      const logs = await this.tryKubectl(['logs', pod, '--all-containers', '--prefix', `--tail=${lastLines}`]);
      said.push(`--- ${pod}\n${logs.stdout}${logs.stderr}`);
    }
    return said.join('\n');
  }

  async #delete(): Promise<void> {
    // Pods first and at once: the next test needs the processor.
    await this.tryKubectl(['delete', 'pods', '--all', '--force', '--grace-period=0', '--wait=false']);
    await this.tryKubectl(['delete', 'namespace', this.name, '--wait=false']);
  }
}

export interface InsideAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly text: string;
}

export interface CommandOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
}

/** A pod of one container under `restricted`. */
export function plainPod(
  name: string,
  container: { readonly image: string; readonly command?: readonly string[]; readonly [key: string]: unknown },
): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: plainPodSpec(name, container),
  };
}

/** Its spec, for a template. It ends at once, whatever its program does at SIGTERM. */
export function plainPodSpec(
  name: string,
  container: { readonly image: string; readonly [key: string]: unknown },
): Readonly<Record<string, unknown>> {
  return {
    terminationGracePeriodSeconds: 1,
    enableServiceLinks: false,
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name,
        imagePullPolicy: 'IfNotPresent',
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        ...container,
      },
    ],
  };
}

function collect(started: ChildProcess, options: CommandOptions): Promise<Output> {
  let stdout = '';
  let stderr = '';
  const timer = setTimeout(() => endGroup(started), options.timeoutMs ?? commandMs);
  started.stdout?.setEncoding('utf8').on('data', (text: string) => {
    if (stdout.length < outputCharsMax) stdout += text;
  });
  started.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (stderr.length < outputCharsMax) stderr += text;
  });
  started.stdin?.on('error', () => undefined).end(options.input ?? '');
  return new Promise((resolve, reject) => {
    started.once('error', reject);
    started.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

/** A program that startKubectl() started, with the processes that it started in turn. */
export function endGroup(started: ChildProcess): void {
  if (started.pid === undefined || started.exitCode !== null) return;
  try {
    process.kill(-started.pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}
