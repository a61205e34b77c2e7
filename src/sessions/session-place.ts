/**
 * Where a session's file is, so that nothing on the way can lead elsewhere: PHP may spread files over levels of
 * directories (`2;/path` gives /path/a/b/sess_ab...), and each level is a name that the application could make a
 * symbolic link. So a level is opened without following links, and the next name is looked up in what was opened.
 *
 * The directory itself is the operator's word and is followed. Must not know what is done with the file.
 */

import { closeSync, constants, fchmodSync, fchownSync, mkdirSync, openSync, statSync } from 'node:fs';

import { errorCode } from './private-directory.ts';

export interface Place {
  /** Reaches the file (on the way to it: the level); valid until closePlace(). */
  readonly path: string;
  /** The opened deepest level; undefined: there are no levels. */
  readonly fd: number | undefined;
}

export interface Way {
  /** One directory name each. */
  readonly levels: readonly string[];
  /** Make levels that are missing, with rights and owner of the level above. PHP itself never makes them. */
  readonly create: boolean;
}

const levelFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Opens the way from the directory to the place of a file.
 * @returns undefined where a level does not exist.
 * @throws the file system's error: ELOOP or ENOTDIR for a level that is no directory.
 */
export function openPlace(directory: string, fileName: string, way: Way): Place | undefined {
  let place: Place = { path: directory, fd: undefined };
  for (const level of way.levels) {
    const next = `${place.path}/${level}`;
    try {
      if (way.create) createLevel(place.path, next);
      const fd = openSync(next, levelFlags);
      closePlace(place);
      place = { path: `/proc/self/fd/${fd}`, fd };
    } catch (error) {
      closePlace(place);
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
  return { path: `${place.path}/${fileName}`, fd: place.fd };
}

export function closePlace(place: Place): void {
  if (place.fd !== undefined) closeSync(place.fd);
}

function createLevel(parent: string, path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return;
    throw error;
  }
  const like = statSync(parent);
  const fd = openSync(path, levelFlags);
  try {
    if (process.geteuid?.() === 0) fchownSync(fd, like.uid, like.gid);
    fchmodSync(fd, like.mode & 0o7777);
  } finally {
    closeSync(fd);
  }
}
