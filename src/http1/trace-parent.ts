/**
 * Is a `traceparent` one? (W3C Trace Context, sections 3.2.1 and 3.2.2)
 *
 * Must not know who sent it, or whether it is believed.
 */

/** A version, a trace and a parent that are not all zeros, flags; a later version may have more behind them. */
const shape =
  /^(?:00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}|(?!00|ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?)$/;

/** What is said in several lines is said by none: the name may not be repeated. */
export function isTraceParent(values: readonly string[]): boolean {
  return values.length === 1 && shape.test(values[0]!);
}
