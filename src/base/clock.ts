/**
 * Time as an argument. Everything that waits or stamps takes a Clock, so that tests move it by hand.
 *
 * Must not know who waits for what.
 */

export interface Timer {
  /** Stops the timer; calling it after the action ran does nothing. */
  cancel(): void;
  /** Starts the full delay again, also after the action ran. */
  refresh(): void;
}

export interface Clock {
  /** Wall-clock time in milliseconds since 1970. Jumps; only for what leaves the process (cookies, logs). */
  nowMs(): number;
  /** Milliseconds since some fixed point; never goes back. For every deadline and duration. */
  monotonicMs(): number;
  /** Runs the action once after `delayMs`. The timer does not keep the process alive. */
  after(delayMs: number, action: () => void): Timer;
}

class SystemTimer implements Timer {
  readonly #timeout: NodeJS.Timeout;

  constructor(delayMs: number, action: () => void) {
    this.#timeout = setTimeout(action, delayMs).unref();
  }

  cancel(): void {
    clearTimeout(this.#timeout);
  }

  refresh(): void {
    this.#timeout.refresh();
  }
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, action) => new SystemTimer(delayMs, action),
};

/** Resolves after `delayMs` of the given clock. */
export function delay(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve));
}
