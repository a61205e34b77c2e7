/** The files under src/ with their text and what they import, for the tests that hold the structure. */

import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export interface SourceFile {
  /** From src/, with forward slashes: `proxy/exchange.ts`. */
  readonly path: string;
  readonly text: string;
  /** Files of src/ that it imports, types too, as paths from src/. */
  readonly imports: readonly string[];
  /** Packages and built-in modules that it imports: `zod`, `@scope/name`, `node:net`. */
  readonly packages: readonly string[];
}

const root = fileURLToPath(new URL('../../src/', import.meta.url));

/** All of them, read once for each call. */
export function sourceFiles(): readonly SourceFile[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => sourceFile(join(root, name)));
}

function sourceFile(file: string): SourceFile {
  const text = readFileSync(file, 'utf8');
  const specifiers = ts.preProcessFile(text, true, true).importedFiles.map((imported) => imported.fileName);
  const local = specifiers.filter((specifier) => specifier.startsWith('.'));
  return {
    path: fromRoot(file),
    text,
    imports: local.map((specifier) => fromRoot(resolve(dirname(file), specifier))),
    packages: specifiers.filter((specifier) => !specifier.startsWith('.')).map(packageName),
  };
}

function fromRoot(file: string): string {
  return relative(root, file).split(sep).join('/');
}

function packageName(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
