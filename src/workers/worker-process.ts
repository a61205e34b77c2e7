/**
 * One worker as its parent has it: a child process with a channel. Questions to it have a bound, so that nobody waits
 * for a worker that hangs.
 *
 * Must not know why it is started or stopped (crew.ts), nor what it does.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '../base/clock.ts';
import type { MetricsReading } from '../base/metrics.ts';
import type { SessionView } from '../admin/window.ts';
import type { Answer, FromWorker, Question, ToWorker, WorkerStart, WorkerState } from './messages.ts';

export type StartResult =
  { readonly kind: 'serving' } | { readonly kind: 'failed'; readonly exitCode: number; readonly why: string };

export interface WorkerOptions {
  readonly start: Omit<WorkerStart, 'kind' | 'descriptors'>;
  /** The parent's descriptors of the listening sockets. */
  readonly descriptors: readonly number[];
  readonly clock: Clock;
}

/** How long a worker may take to answer what somebody waits for. */
const answerMs = 500;
/** How long it may take to take a configuration over; who waits longer replaces it. */
const takeMs = 10_000;
/** Questions without an answer yet; more are not asked. */
const questionsMax = 256;
/** Standard input, output, error and the channel come first in a child. */
const ownDescriptors = 4;

export class WorkerProcess {
  readonly number: number;
  /** How the start went; 'failed' also where it ended before it served. Never rejects. */
  readonly started: Promise<StartResult>;
  /** Why it ended: `exit code 2`, `SIGKILL`. Never rejects. */
  readonly ended: Promise<string>;
  /** What it has counted, as far as is known; undefined: not known yet. */
  reading: MetricsReading | undefined;
  /** As it last told. */
  state: WorkerState | undefined;
  /** Messages that came from it, answers that came too late for anybody included. */
  heardCount = 0;
  /** Of the clock; undefined: it does not serve yet. */
  servesSinceMs: number | undefined;
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #questions = new Map<number, (answer: Answer) => void>();
  #lastQuestion = 0;
  #hasEnded = false;

  /** Starts it: the same program with the command `worker`. */
  constructor({ start, descriptors, clock }: WorkerOptions) {
    this.number = start.number;
    this.#clock = clock;
    // The channel can send secrets as bytes and numbers as numbers.
    this.#child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', 'worker'], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...descriptors],
      serialization: 'advanced',
      // A group of its own: a signal to ours would end a worker that has not come to ignoring it yet.
      detached: true,
    });
    const { promise: started, resolve: startIs } = Promise.withResolvers<StartResult>();
    const { promise: ended, resolve: endIs } = Promise.withResolvers<string>();
    this.started = started;
    this.ended = ended;
    const hasEnded = (why: string): void => {
      this.#hasEnded = true;
      startIs({ kind: 'failed', exitCode: 2, why });
      endIs(why);
      for (const answered of this.#questions.values()) answered(undefined);
      this.#questions.clear();
    };
    // It could not even be started, or a signal could not be sent.
    this.#child.on('error', (error) => {
      if (this.#child.pid === undefined) hasEnded(error.message);
    });
    // 'close' comes behind the last message, 'exit' may come before it.
    this.#child.on('close', (code, signal) => hasEnded(signal ?? `exit code ${code ?? 0}`));
    this.#child.on('message', (message) => this.#hear(message as FromWorker, startIs));
    this.tell({ kind: 'start', ...start, descriptors: descriptors.map((_, index) => ownDescriptors + index) });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Told or not: a worker that has just died needs no telling. */
  tell(message: ToWorker): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Brings `state` up to date, if it answers in time. */
  async askState(): Promise<void> {
    const state = await this.#ask({ about: 'state' });
    if (state !== undefined) this.state = state as WorkerState;
  }

  /** Brings `reading` up to date, if it answers in time. */
  async askMetrics(): Promise<void> {
    const reading = await this.#ask({ about: 'metrics' });
    if (reading !== undefined) this.reading = reading as MetricsReading;
  }

  /** @returns undefined where it does not know the session, or did not answer in time. */
  async askSession(given: string): Promise<SessionView | undefined> {
    return (await this.#ask({ about: 'session', given })) as SessionView | undefined;
  }

  /** Has it take over what it can of another configuration. @returns whether it has, and said so in time. */
  async take(config: unknown): Promise<boolean> {
    return (await this.#ask({ about: 'configuration', config }, takeMs)) === 'taken';
  }

  #ask(question: Question, boundMs = answerMs): Promise<Answer> {
    if (this.#hasEnded || this.#questions.size >= questionsMax) return Promise.resolve(undefined);
    const id = ++this.#lastQuestion;
    return new Promise((resolve) => {
      const timer = this.#clock.after(boundMs, () => {
        this.#questions.delete(id);
        resolve(undefined);
      });
      this.#questions.set(id, (answer) => {
        timer.cancel();
        resolve(answer);
      });
      this.tell({ kind: 'ask', id, question });
    });
  }

  #hear(message: FromWorker, startIs: (result: StartResult) => void): void {
    this.heardCount++;
    switch (message.kind) {
      case 'serving':
        this.servesSinceMs = this.#clock.monotonicMs();
        startIs({ kind: 'serving' });
        break;
      case 'failed':
        startIs(message);
        break;
      case 'last':
        this.reading = message.reading;
        break;
      case 'answer': {
        const answered = this.#questions.get(message.id);
        this.#questions.delete(message.id);
        answered?.(message.answer);
      }
    }
  }
}
