/**
 * `holdfast inject -f FILE`: what would be applied, with sidecars in the pods that ask for one, on standard output; what
 * there is to say about it on standard error. Needs no cluster.
 */

import { readFile, stat } from 'node:fs/promises';
import { readBounded } from '../base/read-bounded.ts';
import { injectText, type Note } from '../injector/inject-documents.ts';
import { judgeSidecar, readDefaults } from './sidecar-defaults.ts';

export interface InjectCommand {
  /** `-`: standard input. */
  readonly file: string;
  readonly image: string | undefined;
  /** `name=value`. */
  readonly defaults: readonly string[];
}

/** A whole cluster's objects take less. */
const inputBytesMax = 64 * 1024 * 1024;

/**
 * Exit code 0: every pod that asked has its sidecar. 1: one has none, for a reason that can be mended (everything is
 * written all the same), or the file or the arguments can't be used. 2: it could not be read or written.
 */
export async function inject({ file, image, defaults: given }: InjectCommand): Promise<number> {
  const defaults = readDefaults(given, image);
  if (defaults.kind === 'problems') {
    for (const problem of defaults.problems) complain(problem);
    return 1;
  }
  const input = await readInput(file);
  if (input.kind === 'unreadable') {
    complain(`${file} can not be read: ${input.why}`);
    return input.missing ? 1 : 2;
  }
  let injected: ReturnType<typeof injectText>;
  try {
    injected = injectText(input.text, { defaults: defaults.defaults, judge: judgeSidecar });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    complain(`${file} is not YAML: ${error.message}`);
    return 1;
  }
  const { text, notes } = injected;
  for (const note of notes) process.stderr.write(`${describe(note)}\n`);
  if (notes.length === 0) process.stderr.write('nothing asks for a sidecar (holdfast.dev/inject: "true")\n');
  await written(text);
  return notes.some(isFailure) ? 1 : 0;
}

function isFailure(note: Note): boolean {
  return note.kind === 'skipped' && note.reason !== 'not-a-server';
}

function describe({ kind, subject, reason, words }: Note): string {
  if (kind === 'skipped') return `skipped: ${subject}: ${reason ?? ''}: ${words}`;
  return `${kind}: ${subject}: ${words}`;
}

type Input =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'unreadable'; readonly why: string; readonly missing: boolean };

async function readInput(file: string): Promise<Input> {
  try {
    if (file === '-') {
      const text = await readBounded(process.stdin, inputBytesMax);
      return text === undefined ? tooLarge : { kind: 'text', text };
    }
    if ((await stat(file)).size > inputBytesMax) return tooLarge;
    return { kind: 'text', text: await readFile(file, 'utf8') };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return { kind: 'unreadable', why: code === 'ENOENT' ? 'there is no such file' : code, missing: code === 'ENOENT' };
  }
}

const tooLarge: Input = { kind: 'unreadable', why: `it is larger than ${inputBytesMax} bytes`, missing: false };

/** A pipe takes it piece by piece, and the process ends right after. */
function written(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write(text, () => resolve());
  });
}

function complain(words: string): void {
  process.stderr.write(`holdfast inject: ${words}\n`);
}
