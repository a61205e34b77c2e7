/**
 * Runs one round of chaos: a deployment, users, and the faults of a schedule one after another; then the verdict, with
 * what is needed to understand each violation.
 *
 * Must not know how rounds are chosen, nor what faults do.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { AccessTrail } from '../support/access-trail.ts';
import type { CheckerVerdict, Violation } from '../support/checker-verdict.ts';
import { prepare } from '../support/deployment.ts';
import type { DeployedGateway, Deployment, DeploymentOptions } from '../support/deployment.ts';
import { SessionChecker } from '../support/session-checker.ts';
import { until } from '../support/until.ts';
import { FailoverGaps } from './failover-gaps.ts';
import { faultKind, settled } from './faults.ts';
import type { FaultName, FaultStage } from './faults.ts';
import { describeStep, gatewayCount, podCount } from './schedule.ts';
import type { Round, Step } from './schedule.ts';

export interface RoundOptions {
  readonly users: number;
  readonly thinkMs: number;
  /** Told what happens as it happens. */
  readonly say: (line: string) => void;
  /** True: no further step begins. */
  readonly isOver?: () => boolean;
}

export interface RoundResult {
  readonly round: Round;
  readonly verdict: CheckerVerdict;
  /** Losses where nothing may be lost, wrong sessions anywhere, failed orderly steps, users who are stuck. */
  readonly failures: readonly string[];
  /** Losses of a round that may lose. */
  readonly counted: number;
  readonly kills: number;
  readonly faults: Readonly<Partial<Record<FaultName, number>>>;
  readonly gaps: FailoverGaps;
}

/** Shorter than an operator's, so that a request in a frozen process is not waited for the whole round; no shorter, because a busy machine may take seconds for an answer. */
const timeouts = { response: '4s', drain: '3s', drainDelay: '500ms' };
const userTimeoutMs = 10_000;
const diskBytes = 24 * 1024 * 1024;
/** A violation's log begins so long before the first request it tells of. */
const reportMarginMs = 1000;

export async function runRound(round: Round, options: RoundOptions): Promise<RoundResult> {
  const running = await ChaosRound.start(round, options);
  try {
    for (const step of round.steps) {
      if (options.isOver?.() === true || !(await running.step(step))) break;
    }
    return await running.finish();
  } finally {
    await running.close();
  }
}

function deploymentOptions(round: Round): DeploymentOptions {
  const uses = (name: FaultName) => round.steps.some((step) => step.fault === name || step.and?.fault === name);
  return {
    application: round.application,
    pods: podCount,
    gateways: round.front === 'gateways' ? gatewayCount : 0,
    redisKeeps: true,
    faultProxies: true,
    ...(uses('full-disk') ? { diskBytes } : {}),
    ...(round.skewsMs.some((ms) => ms !== 0) ? { clockSkewsMs: round.skewsMs } : {}),
    sidecar: {
      timeouts,
      log: { query: true },
      sessions: { onStoreDown: round.onStoreDown, elsewhere: round.elsewhere, maxBytes: '8m' },
    },
    gateway: { timeouts, log: { query: true }, health: { interval: '500ms' } },
  };
}

interface RunParts extends RoundOptions {
  readonly deployment: Deployment;
  readonly trail: AccessTrail;
}

export class ChaosRound {
  readonly #round: Round;
  readonly #parts: RunParts;
  readonly #origins: string[];
  readonly #checker: SessionChecker;
  readonly #gaps = new FailoverGaps();
  readonly #failures: string[] = [];
  readonly #faults: Partial<Record<FaultName, number>> = {};
  #kills = 0;
  #steps = 0;
  #reported = 0;

  private constructor(round: Round, parts: RunParts) {
    this.#round = round;
    this.#parts = parts;
    const { deployment } = parts;
    this.#origins =
      round.front === 'gateways'
        ? deployment.gateways.map(({ origin }) => origin)
        : deployment.pods.map((pod) => `http://${pod.address}`);
    this.#checker = new SessionChecker({
      origins: this.#origins,
      users: parts.users,
      application: deployment.application.traits,
      seed: round.seed,
      timeoutMs: userTimeoutMs,
      thinkMs: parts.thinkMs,
      kinds: userKinds,
      observe: (event) => this.#gaps.observe(event),
    });
  }

  /** Starts the deployment and its users. */
  static async start(round: Round, options: RoundOptions): Promise<ChaosRound> {
    const trail = new AccessTrail();
    const deployment = await prepare({ ...deploymentOptions(round), tap: trail.tap });
    try {
      await deployment.start();
    } catch (error) {
      await deployment.close();
      throw error;
    }
    const running = new ChaosRound(round, { ...options, deployment, trail });
    running.#checker.start();
    return running;
  }

  /** Failures so far. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** One step, until its faults are mended and the users go on. False: it went so wrong that nothing more makes sense. */
  async step(step: Step): Promise<boolean> {
    await pause(step.pauseMs);
    this.#parts.say(describeStep(this.#steps++, step));
    try {
      await this.#inject(step);
      return true;
    } catch (error) {
      this.#fail(`step ${this.#steps}, ${step.fault}: ${(error as Error).message}`);
      return false;
    } finally {
      this.#report();
    }
  }

  /** Lets the users finish and judges. */
  async finish(): Promise<RoundResult> {
    const verdict = await this.#checker.stop();
    this.#report();
    const [faults, gaps, kills, round] = [this.#faults, this.#gaps, this.#kills, this.#round];
    const counted = verdict.violations.filter((violation) => this.#isAllowed(violation)).length;
    return { round, verdict, failures: this.#failures, counted, kills, faults, gaps };
  }

  /** Ends every process. */
  async close(): Promise<void> {
    await this.#checker.stop();
    await this.#parts.deployment.close();
  }

  async #inject(step: Step): Promise<void> {
    const startMs = performance.now();
    const parts = [step, ...(step.and === undefined ? [] : [step.and])];
    const injected = await Promise.all(
      parts.map(({ fault, pod }) => this.#injectOne(fault, this.#stage(pod, step.gateway))),
    );
    await pause(step.forMs);
    for (const mend of injected) await mend();
    await settled(this.#parts.deployment);
    await this.#usersGoOn();
    this.#gaps.over();
    if (parts.some(({ fault }) => faultKind(fault).isOrderly !== true)) return;
    // A request of before may only now be given up: that was the fault of the step before.
    for (const { user, words } of this.#checker.failed.filter((failed) => failed.startMs >= startMs))
      this.#fail([`a request failed during ${step.fault}`, ...this.#evidence(user, [words])].join('\n    '));
  }

  async #injectOne(fault: FaultName, stage: FaultStage): Promise<() => Promise<void>> {
    const kind = faultKind(fault);
    this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
    this.#kills += kind.kills;
    // The users are counted first: the fault takes effect within its injection.
    const pinned = Array.from({ length: this.#parts.users }, (_, user) => user).filter(
      (user) => this.#parts.trail.podOf(user) === stage.pod.name,
    );
    if (kind.loses !== undefined) this.#gaps.lost(kind.loses, pinned);
    return kind.inject(stage);
  }

  #stage(pod: number, gateway: number): FaultStage {
    const { deployment } = this.#parts;
    return {
      deployment,
      pod: deployment.pods[pod]!,
      gateway: deployment.gateways[gateway],
      balance: (changed, isUsed) => this.#balance(changed, isUsed),
    };
  }

  #balance(gateway: DeployedGateway, isUsed: boolean): void {
    const at = this.#origins.indexOf(gateway.origin);
    if (isUsed && at === -1) this.#origins.push(gateway.origin);
    if (!isUsed && at !== -1) this.#origins.splice(at, 1);
  }

  /** Nobody waits for ever: all together get as many answers as they are, several times over. */
  async #usersGoOn(): Promise<void> {
    const { answers } = this.#checker;
    await until('users are answered after the fault', () => this.#checker.answers > answers + 2 * this.#parts.users, {
      deadlineMs: 60_000,
    });
  }

  #isAllowed({ kind }: Violation): boolean {
    return this.#round.mayLose === 'counted' && kind !== 'foreign' && kind !== 'garbage';
  }

  #report(): void {
    for (const violation of this.#checker.violations.slice(this.#reported)) {
      this.#reported += 1;
      const words = `${violation.at} ${violation.kind}, user ${violation.user}: ${violation.words}`;
      if (this.#isAllowed(violation)) this.#parts.say(`counted: ${words}`);
      else this.#fail([words, ...this.#evidence(violation.user, violation.history)].join('\n    '));
    }
  }

  #evidence(user: number, history: readonly string[]): readonly string[] {
    const first = Date.parse(history[0]?.split(' ')[0] ?? '');
    const sinceMs = (Number.isNaN(first) ? Date.now() : first) - reportMarginMs;
    return [
      'requests of the user:',
      ...history,
      'what the processes logged:',
      ...this.#parts.trail.about(user, sinceMs),
    ];
  }

  #fail(words: string): void {
    this.#failures.push(words);
    this.#parts.say(`FAILED ${words}`);
  }
}

const userKinds = ['counter', 'counter', 'reader', 'counter', 'counter', 'counter', 'heavy', 'reader'] as const;
