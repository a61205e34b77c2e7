/**
 * The session checker's users inside the cluster, seen from the test: the same progress and the same verdict as
 * support/session-checker.ts gives beside it. The users run in the namespace's toolbox pod; their way to Holdfast is the one that
 * every client inside has, by a Service.
 *
 * Must not know Holdfast.
 */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import type { TestContext } from 'node:test';
import { describeVerdict } from '../support/checker-verdict.ts';
import type { CheckerVerdict } from '../support/checker-verdict.ts';
import type { CheckerOptions } from '../support/session-checker.ts';
import { until } from '../support/until.ts';
import { endGroup } from './cluster.ts';
import type { Namespace } from './cluster.ts';

export interface Judgement {
  readonly verdict: CheckerVerdict;
  /** The first requests without an acknowledged answer, a line each. */
  readonly failures: readonly string[];
}

interface Progress {
  readonly answers: number;
  readonly failed: number;
  readonly violations: number;
}

/** A user's last requests may take their timeouts. */
const stopMs = 300_000;
const answersMs = 300_000;

export class CheckerInPod {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  #progress: Progress = { answers: 0, failed: 0, violations: 0 };
  #judgement: Judgement | undefined;
  #errors = '';
  #partLine = '';

  /** Use CheckerInPod.start(). */
  constructor(process: ChildProcess) {
    this.#process = process;
    process.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    process.stdin?.on('error', () => undefined);
    this.#ended = new Promise((resolve) => {
      process.once('error', () => resolve()).once('close', () => resolve());
    });
  }

  /** Ends with the test. */
  static async start(
    t: TestContext,
    namespace: Namespace,
    options: Omit<CheckerOptions, 'observe'>,
  ): Promise<CheckerInPod> {
    const program = '/holdfast/test/kubernetes/in-pod/checker-process.ts';
    const command = ['exec', '-i', await namespace.toolbox(), '--', 'node', program, JSON.stringify(options)];
    const started = namespace.startKubectl(command);
    const checker = new CheckerInPod(started);
    t.after(() => endGroup(started));
    await checker.more(1);
    return checker;
  }

  /** Acknowledged answers so far. */
  get answers(): number {
    return this.#progress.answers;
  }

  /** Requests without an acknowledged answer so far. */
  get failed(): number {
    return this.#progress.failed;
  }

  /** Numbers so far that can't be, such as those of a session that was lost. */
  get violations(): number {
    return this.#progress.violations;
  }

  /** Waits until the users have got this many more answers. */
  async more(answers: number): Promise<void> {
    const enough = this.answers + answers;
    await until(
      `${answers} more answers`,
      () => {
        this.#mustRun();
        return this.answers >= enough;
      },
      { deadlineMs: answersMs },
    );
  }

  /**
   * Lets every user finish.
   * @throws Error where its process ended without a verdict.
   */
  async stop(): Promise<Judgement> {
    this.#process.stdin?.end();
    const timer = setTimeout(() => endGroup(this.#process), stopMs);
    await this.#ended;
    clearTimeout(timer);
    if (this.#judgement === undefined) throw new Error(`the checker ended without a verdict: ${this.#errors}`);
    return this.#judgement;
  }

  #mustRun(): void {
    if (this.#process.exitCode !== null) throw new Error(`the checker ended: ${this.#errors}`);
  }

  #read(text: string): void {
    const lines = (this.#partLine + text).split('\n');
    this.#partLine = lines.pop()!;
    for (const line of lines) {
      const report = JSON.parse(line) as Progress | Judgement;
      if ('verdict' in report) this.#judgement = report;
      else this.#progress = report;
    }
  }
}

/** No session lost, whatever failed. */
export function nothingLost({ verdict, failures }: Judgement): void {
  assert.deepEqual(verdict.violations, [], describe({ verdict, failures }));
}

/** No session lost and no request failed. */
export function nothingFailed(judgement: Judgement): void {
  nothingLost(judgement);
  assert.deepEqual(judgement.verdict.errors, {}, describe(judgement));
}

function describe({ verdict, failures }: Judgement): string {
  return [describeVerdict(verdict), ...failures.slice(0, 40)].join('\n  ');
}
