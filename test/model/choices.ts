/**
 * A step that may go several ways is written once, as if it knew its luck: whenever fate decides it asks, and
 * `everyWay` runs it again until each answer has been given.
 */

export class Choices {
  /** What happened, for people; empty unless a trace is told. */
  readonly said: string[] = [];
  readonly #tells: boolean;
  readonly #answers: number[];
  readonly #ways: number[] = [];
  #asked = 0;

  constructor(answers: readonly number[] = [], tells = false) {
    this.#answers = [...answers];
    this.#tells = tells;
  }

  /** One of `ways`, from 0 on. */
  pick(ways: number): number {
    const at = this.#asked++;
    this.#ways[at] = ways;
    return (this.#answers[at] ??= 0);
  }

  say(what: () => string): void {
    if (this.#tells) this.said.push(what());
  }

  /** The answers of the next way; undefined: there are no more. */
  next(): readonly number[] | undefined {
    for (let at = this.#asked - 1; at >= 0; at--) {
      if (this.#answers[at]! + 1 < this.#ways[at]!) return [...this.#answers.slice(0, at), this.#answers[at]! + 1];
    }
    return undefined;
  }
}
