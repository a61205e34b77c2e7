/**
 * WAIT: how many replicas have what was written on one connection. A WAIT counts for everything that the server
 * answered on that connection before, so callers that come while one is under way share the next one: a server
 * that blocks for its replicas blocks once, not once for each session.
 *
 * Must not know what was written, nor what too few replicas mean.
 */

export class ReplicaWait {
  readonly #ask: () => Promise<number>;
  #underWay: Promise<number> | undefined;
  #next: Promise<number> | undefined;

  /** @param ask sends one WAIT and answers the number of replicas. */
  constructor(ask: () => Promise<number>) {
    this.#ask = ask;
  }

  /** The number of replicas that have all that was answered before this call. */
  reached(): Promise<number> {
    if (this.#underWay === undefined) return this.#begin();
    const begin = (): Promise<number> => {
      this.#next = undefined;
      return this.#begin();
    };
    this.#next ??= this.#underWay.then(begin, begin);
    return this.#next;
  }

  #begin(): Promise<number> {
    const asked = this.#ask().finally(() => {
      if (this.#underWay === asked) this.#underWay = undefined;
    });
    this.#underWay = asked;
    return asked;
  }
}
