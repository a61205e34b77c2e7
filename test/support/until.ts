/**
 * Waiting in tests: a condition is polled until it holds or a deadline passes. Nothing here sleeps for a fixed time.
 */

const usualPollMs = 15;

type Truthy<T> = Exclude<T, undefined | null | false | 0 | ''>;

/**
 * Polls `check` until it returns something truthy and returns that; a throw counts as "not yet".
 * @param what names the condition in the error.
 * @throws Error naming `what` and the last error or value once `deadlineMs` (60 s by default: machines are busy) has passed.
 */
export async function until<T>(
  what: string,
  check: () => T | Promise<T>,
  options: { readonly deadlineMs?: number; readonly pollMs?: number } = {},
): Promise<Truthy<T>> {
  const deadlineMs = options.deadlineMs ?? 60_000;
  const end = performance.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value) return value as Truthy<T>;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= end) {
      const detail = last instanceof Error ? last.message : String(last);
      throw new Error(`not within ${deadlineMs} ms: ${what} (last: ${detail})`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, options.pollMs ?? usualPollMs));
  }
}
