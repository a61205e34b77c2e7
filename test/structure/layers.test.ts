/** The import order of the folders, and that nothing goes in a circle. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourceFiles } from './source-files.ts';

/** From the top to the ground: a folder imports only folders below it. */
const layers = [
  'cli.ts',
  'commands',
  'config',
  'workers',
  'admin',
  'injector',
  'kubernetes',
  'proxy',
  'sessions',
  'store',
  'upstream',
  'affinity',
  'pods',
  'http1',
  'base',
] as const;

/** Packages that only some folders may import; every other package is a problem of its own. */
const importers: Readonly<Record<string, readonly string[]>> = {
  '@kubernetes/client-node': ['kubernetes', 'injector'],
  '@peculiar/x509': ['injector'],
  commander: ['cli.ts'],
  ioredis: ['store'],
  koffi: ['sessions'],
  pino: ['base'],
  'pino-pretty': ['commands'],
  'prom-client': ['base'],
  // What @peculiar/x509 needs to be there.
  'reflect-metadata': ['injector'],
  undici: ['commands', 'kubernetes', 'sessions', 'upstream'],
  // kubernetes/: a kubeconfig.
  yaml: ['config', 'injector', 'kubernetes'],
  // What peers answered and what the API server and files hold is read by schemas too.
  zod: ['config', 'injector', 'upstream'],
};

/** The two folders that only think: no sockets, files, processes, timers. */
const pure = {
  folders: ['http1', 'affinity'],
  modules: ['node:assert/strict', 'node:crypto', 'node:buffer', 'node:net'],
};

const files = sourceFiles();

function folder(path: string): string {
  return path.split('/', 1)[0] ?? path;
}

test('every source file is in a folder of the list', () => {
  const homeless = files.filter((file) => !layers.some((layer) => layer === folder(file.path)));
  assert.deepEqual(
    homeless.map((file) => file.path),
    [],
  );
  assert.ok(files.length > 20, 'the source files were found');
});

test('a folder imports only folders below it', () => {
  const rank = (path: string): number => layers.findIndex((layer) => layer === folder(path));
  const upward = files.flatMap((file) =>
    file.imports
      .filter((imported) => rank(imported) < rank(file.path))
      .map((imported) => `${file.path} -> ${imported}`),
  );
  assert.deepEqual(upward, []);
});

test('no import goes in a circle, not even for types', () => {
  assert.deepEqual(circles(new Map(files.map((file) => [file.path, file.imports]))), []);
});

test('a circle would be found', () => {
  const drawn = new Map([
    ['a.ts', ['b.ts']],
    ['b.ts', ['c.ts']],
    ['c.ts', ['b.ts']],
  ]);
  assert.deepEqual(circles(drawn), ['b.ts -> c.ts -> b.ts']);
});

test('a package is imported only where it belongs', () => {
  const strangers = files.flatMap((file) =>
    file.packages
      .filter((name) => !name.startsWith('node:') && !(importers[name] ?? []).includes(folder(file.path)))
      .map((name) => `${file.path} -> ${name}`),
  );
  assert.deepEqual(strangers, []);
});

test('http1/ and affinity/ do no I/O and hold no timers', () => {
  const busy = files
    .filter((file) => pure.folders.includes(folder(file.path)))
    .flatMap((file) => [
      ...file.packages
        .filter((name) => name.startsWith('node:') && !pure.modules.includes(name))
        .map((name) => `${file.path} -> ${name}`),
      ...[...file.text.matchAll(/\b(?:setTimeout|setInterval|setImmediate|fetch|createServer|connect)\(/g)].map(
        ([call]) => `${file.path}: ${call}`,
      ),
      // node:net is there for isIP and its family only.
      ...[...file.text.matchAll(/import \{([^}]*)\} from 'node:net'/g)]
        .filter(([, names]) => (names ?? '').split(',').some((name) => !/^\s*(?:isIP(?:v4|v6)?)?\s*$/.test(name)))
        .map(([statement]) => `${file.path}: ${statement}`),
    ]);
  assert.deepEqual(busy, []);
});

/** Each circle once, as `a -> b -> a`. */
function circles(graph: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path);
    if (start >= 0) found.push([...way.slice(start), path].join(' -> '));
    if (start >= 0 || done.has(path)) return;
    for (const imported of graph.get(path) ?? []) visit(imported, [...way, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}
