/**
 * Texts that outlive the request they came in.
 *
 * V8 keeps the whole parent alive for a slice of 13 or more characters. A 40-character session id in a table
 * would hold on to the kilobytes of request head it was cut from; so whatever enters a table is copied first.
 */

/** Reused: a Buffer of its own for each text would cost more than the copying. Holds the last text, no more. */
const scratch = Buffer.alloc(4096);

/** A copy that shares no memory with the text it was cut from. The text must be latin1, as HTTP heads are. */
export function ownText(text: string): string {
  const bytes = text.length <= scratch.length ? scratch : Buffer.alloc(text.length);
  return bytes.toString('latin1', 0, bytes.write(text, 'latin1'));
}
