/**
 * Which sessions a directory holds, by name alone. Strangers' files, dot names and symbolic links are passed over.
 *
 * Must not know files' contents. Reads names in batches, so that whoever walks can pause between two.
 */

import { type Dir, opendirSync } from 'node:fs';

import type { Preset, SessionId } from '../affinity/session-codec.ts';
import { errorCode } from './private-directory.ts';
import { type NamingOptions, sessionOf } from './session-name.ts';

/** Names looked at in one walk: a directory beyond that has lost its clean-up, and is told of by its size alone. */
const namesMax = 1_000_000;
const batchNames = 256;

/** One character of an id: PHP's name for a level. */
const levelName = /^[A-Za-z0-9,-]$/;

/** What a walk did not name: strangers' files, and names of sessions that are no regular files (symbolic links). */
export interface PassedOver {
  strangers: number;
  links: number;
}

/**
 * Walks the directory. `passedOver` is counted up. Sessions that appear or vanish during the walk may or may not be named.
 * @throws the file system's error where the directory can't be read.
 */
export function* listSessions(
  directory: string,
  { preset, cookie, depth, passedOver }: { preset: Preset; depth: number; passedOver?: PassedOver } & NamingOptions,
): Generator<SessionId> {
  let looked = 0;
  const open: { dir: Dir; path: string }[] = [
    { dir: opendirSync(directory, { bufferSize: batchNames }), path: directory },
  ];
  try {
    for (let here = open.at(-1); here !== undefined && looked < namesMax; here = open.at(-1)) {
      const entry = here.dir.readSync();
      if (entry === null) {
        here.dir.closeSync();
        open.pop();
        continue;
      }
      looked += 1;
      if (open.length <= depth) {
        if (entry.isDirectory() && levelName.test(entry.name)) open.push(...openLevel(`${here.path}/${entry.name}`));
        continue;
      }
      const session = sessionOf(preset, entry.name, { cookie });
      if (session !== undefined && entry.isFile()) yield session;
      else if (passedOver !== undefined) passedOver[session === undefined ? 'strangers' : 'links'] += 1;
    }
  } finally {
    for (const { dir } of open) dir.closeSync();
  }
}

/** The level, opened; none where it vanished meanwhile. */
function openLevel(path: string): { dir: Dir; path: string }[] {
  try {
    return [{ dir: opendirSync(path, { bufferSize: batchNames }), path }];
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
