/**
 * From file, environment and flags to a Config, or to the list of everything that is wrong with them.
 *
 * Must not know what is done with a configuration.
 */

import type { Config } from './config.ts';
import type { Problem, Tree } from './problems.ts';
import { keyByPath } from './keys.ts';
import { isTree, unknownKeys, valueProblem } from './problems.ts';
import type { Keys, RoleName } from './schema.ts';
import { roleKeys, roles, schema } from './schema.ts';
import { problemsOfAnyRole, settle } from './settle.ts';
import type { Environment } from './sources.ts';
import { FilesRead, type FilesSeen } from './read-files.ts';
import { applyEnvironment, applyFlags, followReferences, readTree } from './sources.ts';

export interface LoadOptions {
  /** The path of a YAML or JSON file; undefined: environment and flags alone. */
  readonly configFile?: string | undefined;
  /** Laid under the file; for `dev`, which has no file but knows most of its values. */
  readonly base?: Tree;
  /** `path=value`, the later the stronger. */
  readonly set?: readonly string[];
  readonly environment: Environment;
  /** `holdfast dev`: everything in one process (settle.ts). */
  readonly dev?: boolean;
}

export type Loaded = Outcome & {
  /** All files that were looked at, those too that are missing. */
  readonly files: FilesSeen;
};

type Outcome =
  | {
      readonly kind: 'config';
      readonly config: Config;
      /** The same by the keys' own names, for a comparison. Holds secrets. */
      readonly keys: Keys;
      /** What can be used, but is hardly what was meant. Without secrets. */
      readonly warnings: readonly Problem[];
    }
  /** Never empty; each with its key's path, without secrets. */
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

export type LoadedConfig = Extract<Loaded, { readonly kind: 'config' }>;

/** Reads everything, reports everything that is wrong at once. Does not throw. */
export function loadConfig(options: LoadOptions): Loaded {
  const files = new FilesRead();
  return { ...load(options, files), files: files.seen };
}

function load(options: LoadOptions, files: FilesRead): Outcome {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const file = options.configFile === undefined ? {} : readTree(options.configFile, { problems, files });
  // Spread and not Object.assign, which would take a key named __proto__ for an order.
  const written: Tree = { ...structuredClone(options.base ?? {}), ...file };
  if (problems.length > 0) return { kind: 'problems', problems };
  applyEnvironment(written, options.environment, { problems, warnings });
  applyFlags(written, options.set ?? [], problems);
  problems.push(...unknownKeys(written));

  const tree = followReferences(ofItsRole(written, options), options.environment, { problems, files });
  const read = readKeys(tree, written, problems);
  const isRoleKnown = !problems.some((problem) => problem.path === 'role');
  const settled = read && isRoleKnown ? settle(read, { dev: options.dev ?? false }) : undefined;
  if (read && !isRoleKnown) add(problemsOfAnyRole(read), problems);
  if (settled?.kind === 'problems') add(settled.problems, problems);
  if (read === undefined || settled?.kind !== 'config' || problems.length > 0) return { kind: 'problems', problems };
  return { ...settled, keys: read, warnings };
}

/**
 * The tree's values, read. What can't be read is reported and left out, so that the other rules can still be
 * looked at; undefined where not even that is possible.
 */
function readKeys(tree: Tree, written: Tree, problems: Problem[]): Keys | undefined {
  const whole = schema.safeParse(tree);
  if (whole.success) return whole.data;
  const { issues } = whole.error;
  const found = issues.map((issue) => {
    const isBranch = issue.code === 'invalid_type' && issue.expected === 'object';
    return valueProblem(written, issue.path, isBranch ? 'is not a mapping of keys' : issue.message);
  });
  add(found, problems);
  for (const issue of issues) leaveOut(tree, issue.path.map(String));
  return schema.safeParse(tree).data;
}

function leaveOut(tree: Tree, path: readonly string[]): void {
  let current: unknown = tree;
  for (const [index, step] of path.entries()) {
    if (!isTree(current)) return;
    const isKey = !(keyByPath.get(path.slice(0, index + 1).join('.'))?.branch ?? false);
    if (index === path.length - 1 || isKey) current[step] = undefined;
    current = current[step];
  }
}

/**
 * The tree without the other role's sections: one file may serve both roles, and what it refers to in the
 * other's sections need not exist here.
 */
function ofItsRole(written: Tree, { environment }: LoadOptions): Tree {
  const given = followReferences({ role: written['role'] }, environment, { problems: [], files: new FilesRead() })[
    'role'
  ];
  // What is wrong in a section is said also where it is not clear yet whose it is.
  if (given !== undefined && given !== 'sidecar' && given !== 'gateway') return written;
  const role: RoleName = given === 'sidecar' ? 'sidecar' : 'gateway';
  const others = roles.filter((name) => name !== role).flatMap((name) => roleKeys[name]);
  return Object.fromEntries(Object.entries(written).filter(([name]) => !others.includes(name)));
}

/** Adds problems that are no consequence of those known: of one key only the first counts. */
function add(later: readonly Problem[], problems: Problem[]): void {
  const known = new Set(problems.map((problem) => keyOf(problem.path)).filter((path) => path !== ''));
  const isNew = ({ path, words }: Problem): boolean =>
    !known.has(keyOf(path)) && ![...known].some((other) => other.includes('.') && words.includes(other));
  problems.push(...later.filter(isNew));
}

/** `store.key` of `store.key[1]`. */
function keyOf(path: string): string {
  return path.replace(/\[.*$/, '');
}
