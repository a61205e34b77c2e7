/**
 * The events of a watch, out of its bytes: one JSON object a line. Half a line is kept until its other half comes, up to
 * a bound.
 *
 * Must not know where bytes come from, nor what events mean.
 */

import { SourceFailure } from '../pods/pod-source.ts';
import { field, text } from './object-fields.ts';

export interface WatchEvent {
  readonly type: string;
  readonly object: unknown;
}

/** etcd takes objects of 1.5 MB. */
const lineBytesMax = 8 * 1024 * 1024;

export class WatchLines {
  #parts: Buffer[] = [];
  #bytes = 0;

  /** The events whose last byte is in `chunk`. @throws SourceFailure 'bad-answer' */
  push(chunk: Buffer): readonly WatchEvent[] {
    const events: WatchEvent[] = [];
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, from)) {
      this.#keep(chunk.subarray(from, end));
      from = end + 1;
      const line = Buffer.concat(this.#parts).toString('utf8');
      this.#parts = [];
      this.#bytes = 0;
      if (line.trim() !== '') events.push(readEvent(line));
    }
    this.#keep(chunk.subarray(from));
    return events;
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#bytes += part.length;
    if (this.#bytes > lineBytesMax) throw new SourceFailure('bad-answer', 'an event of the watch is too long');
    this.#parts.push(part);
  }
}

function readEvent(line: string): WatchEvent {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    throw new SourceFailure('bad-answer', 'an event of the watch is no JSON');
  }
  const type = text(field(event, 'type'));
  if (type === undefined) throw new SourceFailure('bad-answer', 'an event of the watch has no type');
  return { type, object: field(event, 'object') };
}
