/**
 * Texts that outlive the request they came in.
 *
 * V8 keeps the whole parent alive for a slice of 13 or more characters. A 40-character session id in a table
 * would hold on to the kilobytes of request head it was cut from; so whatever enters a table is copied first.
 */

/** A copy that shares no memory with the text it was cut from. The text must be latin1, as HTTP heads are. */
export function ownText(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
