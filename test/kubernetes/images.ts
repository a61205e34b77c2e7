/**
 * The images of the tests, each built in the one way there is (manifests/image/build) and named by its content, so that what
 * is there already is neither built nor imported again.
 */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../support/processes.ts';

const folder = 'test/kubernetes/images';
/** The first one makes the base and gets Node; they come from mirrors, which may be slow. */
const buildMs = 1_800_000;
const outputBytesMax = 64 * 1024 * 1024;

export type ImageName = 'holdfast' | 'checker' | 'laravel' | 'neighbours';

interface Recipe {
  readonly dockerfile: string;
  readonly context?: string;
  /** An image before it. */
  readonly base?: ImageName;
}

const recipes: Readonly<Record<ImageName, Recipe>> = {
  holdfast: { dockerfile: 'Dockerfile' },
  checker: { dockerfile: `${folder}/checker/Dockerfile`, base: 'holdfast' },
  laravel: { dockerfile: 'examples/laravel/Dockerfile', context: 'examples/laravel' },
  neighbours: { dockerfile: `${folder}/neighbours/Dockerfile` },
};

/** Their references, as a pod names them. */
export type Images = Readonly<Record<ImageName, string>>;

export interface BuiltImage {
  readonly name: ImageName;
  readonly reference: string;
  /** A docker-archive. */
  readonly archive: string;
}

/**
 * Builds them one after the other.
 * @throws Error with the end of the build's log.
 */
export async function* buildImages(archives: string): AsyncGenerator<BuiltImage> {
  const built = new Map<string, string>();
  for (const [name, recipe] of Object.entries(recipes)) {
    const base = recipe.base === undefined ? undefined : built.get(recipe.base);
    const args = [
      ...['-f', join(repositoryRoot, recipe.dockerfile), '-o', archives],
      ...(base === undefined ? [] : ['-b', base]),
      `docker.io/local/${name}`,
      join(repositoryRoot, recipe.context ?? '.'),
    ];
    // What was built of it is kept: a mirror that fails once costs one step.
    const stdout = await build(args).catch(() => build(args));
    const [reference, archive] = stdout.trim().split('\n');
    if (reference === undefined || archive === undefined) throw new Error(`manifests/image/build said ${stdout}`);
    built.set(name, reference);
    yield { name: name as ImageName, reference, archive };
  }
}

async function build(args: readonly string[]): Promise<string> {
  const program = join(repositoryRoot, 'manifests/image/build');
  const { stdout } = await promisify(execFile)(program, args, { timeout: buildMs, maxBuffer: outputBytesMax });
  return stdout;
}
