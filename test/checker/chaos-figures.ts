/**
 * The figures of all rounds of chaos together.
 *
 * Must not know how they came about.
 */

import type { RoundResult } from './chaos-round.ts';
import { FailoverGaps } from './failover-gaps.ts';

export class ChaosFigures {
  kills = 0;
  readonly failedSeeds: number[] = [];
  readonly #gaps = new FailoverGaps();
  readonly #faults: Record<string, number> = {};
  readonly #errors: Record<string, number> = {};
  readonly #sums = { rounds: 0, answers: 0, lost: 0, wrong: 0, counted: 0 };

  add(result: RoundResult): void {
    const { verdict, round } = result;
    const wrong = verdict.violations.filter(({ kind }) => kind === 'foreign' || kind === 'garbage').length;
    this.kills += result.kills;
    this.#sums.rounds += 1;
    this.#sums.answers += verdict.answers;
    this.#sums.wrong += wrong;
    this.#sums.counted += result.counted;
    this.#sums.lost += verdict.violations.length - wrong - result.counted;
    for (const [fault, count] of Object.entries(result.faults))
      this.#faults[fault] = (this.#faults[fault] ?? 0) + count;
    for (const [error, count] of Object.entries(verdict.errors))
      this.#errors[error] = (this.#errors[error] ?? 0) + count;
    this.#gaps.add(result.gaps);
    if (result.failures.length > 0) this.failedSeeds.push(round.seed);
  }

  lines(): readonly string[] {
    const { rounds, answers, lost, wrong, counted } = this.#sums;
    const gap = (loss: 'refused' | 'black-holed') => {
      const { count, p50Ms, p99Ms, maxMs } = this.#gaps.figures(loss);
      return `gap of a user whose pod is ${loss}: ${count} times, p50 ${p50Ms} ms, p99 ${p99Ms} ms, longest ${maxMs} ms`;
    };
    return [
      `${rounds} rounds, ${this.kills} kills, ${answers} answers, lost ${lost}, wrong ${wrong}, lost where it may be and counted ${counted}`,
      `faults: ${JSON.stringify(this.#faults)}`,
      `requests without an answer: ${JSON.stringify(this.#errors)}`,
      gap('refused'),
      gap('black-holed'),
    ];
  }
}
