/**
 * What is wrong with a configuration, in words for the person who has to mend it: the key's path, what is
 * wrong, and the value where it was written in the open. A secret's value is never shown, nor one that came
 * from `env:` or `file:`.
 *
 * Must not know the rules themselves.
 */

import { keyByPath, keys } from './keys.ts';

export interface Problem {
  /** The key's path; '' where no key is to blame (a file that can't be read). */
  readonly path: string;
  readonly words: string;
}

/** Collects problems; `path` names the key that has to be changed. */
export type Report = (path: string, words: string) => void;

/** A mapping as YAML gives it. */
export type Tree = Record<string, unknown>;

const shownCharactersMax = 60;
const unknownMax = 50;

/** `timeouts.head: "10 parsecs" is not a duration ...` */
export function formatProblem(problem: Problem): string {
  return problem.path === '' ? problem.words : `${problem.path}: ${problem.words}`;
}

/**
 * A problem of a value, from words such as "is not a size".
 * @param written the tree as it was written, before `env:` and `file:` were followed.
 */
export function valueProblem(written: Tree, path: readonly PropertyKey[], words: string): Problem {
  const steps = path.map(String);
  const name = steps.join('.').replace(/\.(\d+)(?=\.|$)/g, '[$1]');
  const value = valueAt(written, steps);
  if (value === undefined || value === null) return { path: name, words: 'is needed' };
  return { path: name, words: `${shown(steps, value)}${words}` };
}

/** The value at a path; undefined where there is none. */
export function valueAt(tree: unknown, steps: readonly string[]): unknown {
  let current = tree;
  for (const step of steps) {
    if (!isTree(current) && !Array.isArray(current)) return undefined;
    current = Object.hasOwn(current, step) ? (current as Tree)[step] : undefined;
  }
  return current;
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Every key that does not exist, with the one that was probably meant. */
export function unknownKeys(tree: Tree): readonly Problem[] {
  const problems: Problem[] = [];
  collectUnknown(tree, '', problems);
  return problems.slice(0, unknownMax);
}

function collectUnknown(tree: Tree, prefix: string, problems: Problem[]): void {
  for (const [name, value] of Object.entries(tree)) {
    const path = prefix + name;
    const key = keyByPath.get(path);
    if (key === undefined) problems.push({ path, words: `is no key of the configuration${meant(path)}` });
    else if (key.branch && isTree(value)) collectUnknown(value, `${path}.`, problems);
  }
}

/** `; did you mean timeouts.keepAlive?`, or nothing. */
export function meant(path: string): string {
  const last = path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  let best: { readonly path: string; readonly score: number } | undefined;
  for (const key of keys) {
    const whole = distance(path.toLowerCase(), key.path.toLowerCase());
    // The right name in the wrong section is the commonest mistake of all.
    const score = key.path.slice(key.path.lastIndexOf('.') + 1).toLowerCase() === last ? Math.min(whole, 2) : whole;
    if (best === undefined || score < best.score) best = { path: key.path, score };
  }
  const tolerated = Math.max(1, Math.min(3, Math.floor(path.length / 3)));
  return best !== undefined && best.score <= tolerated ? `; did you mean ${best.path}?` : '';
}

/** How many letters have to be added, removed or changed to get from one to the other (Levenshtein). */
function distance(from: string, to: string): number {
  if (from.length > 200 || Math.abs(from.length - to.length) > 8) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let line = 1; line <= from.length; line++) {
    const next = [line];
    for (let column = 1; column <= to.length; column++) {
      const same = from[line - 1] === to[column - 1] ? 0 : 1;
      next.push(Math.min(row[column]! + 1, next[column - 1]! + 1, row[column - 1]! + same));
    }
    row = next;
  }
  return row[to.length]!;
}

function shown(steps: readonly string[], value: unknown): string {
  for (let length = steps.length; length > 0; length--) {
    if (keyByPath.get(steps.slice(0, length).join('.'))?.secret === true) return '';
  }
  if (typeof value === 'string' && /^(?:env|file):/.test(value))
    return `the value of ${value.slice(0, shownCharactersMax)} `;
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return '';
  return `${JSON.stringify(value).slice(0, shownCharactersMax)} `;
}
