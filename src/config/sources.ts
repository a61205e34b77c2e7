/**
 * Where values come from: a YAML file, the environment, flags; later ones win. And the two references that may
 * stand in place of any text: `env:NAME` and `file:PATH`.
 *
 * Must not know what keys mean.
 */

import { parseDocument } from 'yaml';
import type { Key } from './keys.ts';
import { keyByPath, keys } from './keys.ts';
import type { Problem, Tree } from './problems.ts';
import { isTree, meant, valueAt } from './problems.ts';
import type { FilesRead } from './read-files.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const fileBytesMax = 1024 * 1024;
const referenceBytesMax = 256 * 1024;
const aliasesMax = 50;

/** What is found out while the sources are read. */
export interface Reading {
  readonly problems: Problem[];
  readonly files: FilesRead;
}

/** The mapping in a YAML (or JSON) file; an empty file is an empty mapping. */
export function readTree(path: string, { problems, files }: Reading): Tree {
  const content = files.read(path, fileBytesMax);
  if (content.kind === 'unreadable') {
    problems.push({ path: '', words: `${path} can not be read: ${content.why}` });
    return {};
  }
  const given = parseYaml(content.text);
  if (given.kind === 'bad') problems.push({ path: '', words: `${path} is not YAML: ${given.why}` });
  else if (given.value === null || given.value === undefined) return {};
  else if (isTree(given.value)) return given.value;
  else problems.push({ path: '', words: `${path} does not hold a mapping of keys` });
  return {};
}

/**
 * Lays the environment's variables over the tree, and warns where one replaces keys that the file names: somebody who
 * rotates them there would wait for nothing (docs/operations.md). A variable whose name is no key's is ignored (Kubernetes
 * injects HOLDFAST_PORT=tcp://... for a Service of that name), and so is one that the tree refers to by
 * `env:NAME`: `key: [env:NEW, env:HOLDFAST_STORE_KEY]` must not be replaced by the variable it names.
 */
export function applyEnvironment(
  tree: Tree,
  environment: Environment,
  { problems, warnings }: { readonly problems: Problem[]; readonly warnings: Problem[] },
): void {
  const referred = new Set(references(tree));
  for (const key of keys) {
    const given = environment[key.environment];
    if (given === undefined || referred.has(key.environment)) continue;
    const written = valueAt(tree, key.path.split('.'));
    applyText(tree, { key, given, source: key.environment }, problems);
    if (replacesSilently(key, written, given)) warnings.push({ path: key.path, words: replacedWords(key, written) });
  }
}

/** A single value that is replaced is what variables are for; a list, or another key than the written one, is not. */
function replacesSilently(key: Key, written: unknown, given: string): boolean {
  if (written === undefined || written === null || written === given) return false;
  return Array.isArray(written) || key.kind.includes('secret');
}

function replacedWords(key: Key, written: unknown): string {
  const what = Array.isArray(written) ? `the list of ${written.length}` : 'what is written';
  const name = key.environment;
  return `${what} in the file counts for nothing, since the environment has ${name}; write env:${name} there, or unset the variable`;
}

/** Lays `--set path=value` flags over the tree. */
export function applyFlags(tree: Tree, flags: readonly string[], problems: Problem[]): void {
  for (const flag of flags) {
    const [path = '', ...rest] = flag.split('=');
    const key = keyByPath.get(path);
    if (rest.length === 0) problems.push({ path: '', words: `--set needs path=value, such as log.level=debug` });
    else if (key === undefined) problems.push({ path, words: `is no key of the configuration${meant(path)}` });
    else applyText(tree, { key, given: rest.join('='), source: '--set' }, problems);
  }
}

/**
 * Follows `env:` and `file:` everywhere. A key without a value (`affinity:` and nothing behind it) is left out.
 * @returns a new tree; a reference that leads nowhere is a problem and becomes `unresolved`.
 */
export function followReferences(tree: Tree, environment: Environment, reading: Reading): Tree {
  const follow = (value: unknown, path: string): unknown => {
    if (typeof value === 'string') return followText(value, path, environment, reading);
    if (Array.isArray(value)) return value.map((entry, index) => follow(entry, `${path}[${index}]`));
    if (!isTree(value)) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, child]) => child !== null)
        .map(([name, child]) => [name, follow(child, path === '' ? name : `${path}.${name}`)]),
    );
  };
  return follow(tree, '') as Tree;
}

/** Stands for a reference that led nowhere; its problem is told already. */
export const unresolved = Symbol('unresolved');

/** Files that are read again when they change: the reference itself is the value (settle-listen.ts). */
const readLater = /^listen(?:\[\d+\])?\.tls\.(?:certificates\[\d+\]\.)?(?:certificate|key|clientCa)$/;

function followText(text: string, path: string, environment: Environment, { problems, files }: Reading): unknown {
  if (text.startsWith('env:')) {
    const name = text.slice(4);
    const value = environment[name];
    if (value !== undefined && value !== '') return value;
    problems.push({ path, words: `the environment variable ${name} is ${value === undefined ? 'not set' : 'empty'}` });
    return unresolved;
  }
  if (text.startsWith('file:') && !readLater.test(path)) {
    const file = text.slice(5);
    const content = files.read(file, referenceBytesMax);
    // Editors and `echo` end a file with a line feed that is not part of the secret.
    if (content.kind === 'text' && content.text.trimEnd() !== '') return content.text.replace(/\r?\n$/, '');
    const why = content.kind === 'text' ? 'is empty' : `can not be read: ${content.why}`;
    problems.push({ path, words: `the file ${file} ${why}` });
    return unresolved;
  }
  return text;
}

interface Given {
  readonly key: Key;
  readonly given: string;
  readonly source: string;
}

function applyText(tree: Tree, { key, given, source }: Given, problems: Problem[]): void {
  const value = readText(key, given);
  if (value.kind === 'bad') {
    // The parser's words may quote the value, which may be a secret.
    problems.push({ path: key.path, words: `${source} is not a YAML value` });
    return;
  }
  const steps = key.path.split('.');
  const last = steps.pop()!;
  let current = tree;
  for (const step of steps) {
    const below = current[step];
    if (isTree(below)) current = below;
    else current = current[step] = {};
  }
  current[last] = value.value;
}

type Value = { readonly kind: 'value'; readonly value: unknown } | { readonly kind: 'bad'; readonly why: string };

/** YAML; but a text key's bare value is taken as it is, so that no secret turns into a number or a comment. */
function readText(key: Key, given: string): Value {
  const bare = !/^\s*(?:["'[{]|- )/.test(given);
  if (bare && isText(key)) return { kind: 'value', value: given };
  const value = parseYaml(given);
  return value.kind === 'bad' && key.secret ? { kind: 'value', value: given } : value;
}

const otherKinds = new Set(['duration', 'size', 'number', 'true or false', 'mapping', 'name or number', 'file mode']);

function isText(key: Key): boolean {
  return !otherKinds.has(key.kind) && !key.kind.includes('off');
}

/** The parser's own words may quote what stands there, which may be a secret. */
const yamlFaults: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'the same key stands there a second time',
  TAB_AS_INDENT: 'a tab; YAML is indented with spaces',
  BAD_INDENT: 'the indentation does not fit the lines above',
  MISSING_CHAR: 'a quote, a bracket, a comma or a colon is missing',
  BLOCK_AS_IMPLICIT_KEY: 'two keys in one line; put the value in quotes if it has a colon followed by a space',
  BAD_SCALAR_START: 'a value that begins with this character needs quotes',
  BAD_DQ_ESCAPE: 'in double quotes a backslash has a meaning; single quotes take it as it is',
  BAD_ALIAS: 'a value that begins with * or & needs quotes',
  MULTIPLE_DOCS: 'a second document begins; one file is one configuration',
  MULTILINE_IMPLICIT_KEY: 'a key goes over several lines; is a colon missing?',
  UNEXPECTED_TOKEN: 'something stands where a new line was expected',
  TAG_RESOLVE_FAILED: 'a value that begins with ! needs quotes',
};

function parseYaml(text: string): Value {
  try {
    const document = parseDocument(text, {
      version: '1.2',
      prettyErrors: true,
      strict: true,
      uniqueKeys: true,
      logLevel: 'silent',
    });
    const [error] = document.errors;
    if (error !== undefined) {
      const place = error.linePos?.[0];
      const words = yamlFaults[error.code] ?? `something is misplaced (${error.code})`;
      return { kind: 'bad', why: place === undefined ? words : `line ${place.line}, column ${place.col}: ${words}` };
    }
    const value: unknown = document.toJS({ maxAliasCount: aliasesMax });
    return isEndless(value, []) ? { kind: 'bad', why: 'a value holds itself (& and *)' } : { kind: 'value', value };
  } catch (error) {
    return { kind: 'bad', why: error instanceof Error ? error.name : 'it can not be read' };
  }
}

/** An alias may stand inside of what it names; aliases are few, so that the walk is short. */
function isEndless(value: unknown, within: readonly unknown[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return within.includes(value) || Object.values(value).some((child) => isEndless(child, [...within, value]));
}

function* references(value: unknown): Generator<string> {
  if (typeof value === 'string' && value.startsWith('env:')) yield value.slice(4);
  else if (Array.isArray(value)) for (const entry of value) yield* references(entry);
  else if (isTree(value)) for (const child of Object.values(value)) yield* references(child);
}
