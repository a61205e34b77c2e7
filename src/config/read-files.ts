/**
 * The files that a configuration is read from: its own, and those it refers to. What was read is remembered as digests,
 * so that a watch can tell whether any of it has changed since (files-watch.ts).
 *
 * Must not know what is in them.
 */

import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';

export type Content =
  { readonly kind: 'text'; readonly text: string } | { readonly kind: 'unreadable'; readonly why: string };

/** What was read: for each path a digest of its content, or why there was none. */
export type FilesSeen = ReadonlyMap<string, FileSeen>;

export interface FileSeen {
  readonly digest: string;
  readonly bytesMax: number;
}

/** Reads files, each once, and remembers what it saw. */
export class FilesRead {
  readonly #contents = new Map<string, Content>();
  readonly seen = new Map<string, FileSeen>();

  read(path: string, bytesMax: number): Content {
    const known = this.#contents.get(path);
    if (known !== undefined) return known;
    const content = readBounded(path, bytesMax);
    this.#contents.set(path, content);
    this.seen.set(path, { digest: digestOf(content), bytesMax });
    return content;
  }
}

/** The digest of what is there now. Never rejects, and blocks nobody. */
export async function lookAgain(path: string, { bytesMax }: FileSeen): Promise<string> {
  try {
    const { size } = await stat(path);
    return digestOf(size > bytesMax ? tooLarge(bytesMax) : { kind: 'text', text: await readFile(path, 'utf8') });
  } catch (error) {
    return digestOf(unreadable(error));
  }
}

function readBounded(path: string, bytesMax: number): Content {
  try {
    if (statSync(path).size > bytesMax) return tooLarge(bytesMax);
    return { kind: 'text', text: readFileSync(path, 'utf8') };
  } catch (error) {
    return unreadable(error);
  }
}

function tooLarge(bytesMax: number): Content {
  return { kind: 'unreadable', why: `it is larger than ${bytesMax} bytes` };
}

function unreadable(error: unknown): Content {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  return { kind: 'unreadable', why: code === 'ENOENT' ? 'there is no such file' : code };
}

function digestOf(content: Content): string {
  const text = content.kind === 'text' ? content.text : content.why;
  return createHash('sha256').update(`${content.kind}\n${text}`).digest('base64');
}
