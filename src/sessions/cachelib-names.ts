/**
 * By which hash cachelib names the files of a directory: MD5 up to its version 0.15, SHA-256 since. A pod's cachelib is
 * asked by what it has left there, because a session that moves has to get the name that its new pod's looks for.
 *
 * Must not know sessions. Reads names and times only.
 */

import { hash } from 'node:crypto';
import { opendirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export type NameHash = 'md5' | 'sha256';

/** Written by every worker that starts, unless its threshold is 0. */
const countName = '__wz_cache_count';
const countNames: readonly (readonly [NameHash, string])[] = [
  ['md5', hash('md5', countName, 'hex')],
  ['sha256', hash('sha256', countName, 'hex')],
];

/** A session's name shows up among the first few. */
const namesMax = 1000;

/**
 * The hash of the cachelib that writes here; the younger one's, where there were two. Undefined: it has written nothing
 * yet, or the directory can't be read.
 */
export function nameHashIn(directory: string): NameHash | undefined {
  try {
    return hashOfCount(directory) ?? hashOfNames(directory);
  } catch {
    return undefined;
  }
}

function hashOfCount(directory: string): NameHash | undefined {
  const found = countNames.flatMap(([kind, name]) => {
    const stats = statSync(join(directory, name), { throwIfNoEntry: false });
    return stats === undefined ? [] : [{ kind, mtimeMs: stats.mtimeMs }];
  });
  return found.sort((one, other) => other.mtimeMs - one.mtimeMs)[0]?.kind;
}

/** Any MD5 decides: SHA-256 is also what a session is restored by as long as nothing is known. */
function hashOfNames(directory: string): NameHash | undefined {
  let found: NameHash | undefined;
  const names = opendirSync(directory);
  try {
    for (let looked = 0; looked < namesMax; looked++) {
      const name = names.readSync()?.name;
      if (name === undefined) break;
      if (/^[0-9a-f]{32}$/.test(name)) return 'md5';
      if (/^[0-9a-f]{64}$/.test(name)) found = 'sha256';
    }
  } finally {
    names.closeSync();
  }
  return found;
}
