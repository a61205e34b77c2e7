/**
 * A sidecar's session directory at its start: ours alone, there, and usable. Waited for, because the application may make
 * it itself when it starts, and because the sidecar before this one may still be ending.
 *
 * Must not know what the directory is used for.
 */

import { type Clock, delay } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { DirectoryHold } from '../sessions/directory-hold.ts';
import type { Notes } from '../sessions/notes.ts';
import type { SessionDirectory } from '../sessions/session-directory.ts';

export interface OwnDirectoryOptions {
  readonly hold: DirectoryHold;
  readonly directory: SessionDirectory;
  readonly notes: Notes;
  /** How long the sidecar before this one may take to end. */
  readonly predecessorMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Why it still waits. */
  readonly waits: (why: string) => void;
  readonly isStopped: () => boolean;
}

/** How often a session directory that can't be used yet is tried again. */
const retryMs = 500;

/** Resolves when the directory can be used, or when nobody waits for it any more. @throws HoldfastError 'directory-in-use' */
export async function ownDirectory(options: OwnDirectoryOptions): Promise<void> {
  const { hold, directory, notes, predecessorMs, clock, log, waits, isStopped } = options;
  const endMs = clock.monotonicMs() + predecessorMs;
  for (let told = ''; !isStopped();) {
    try {
      if (!hold.tryTake())
        throw new HoldfastError('directory-in-use', `${directory.path}: each pod needs one of its own.`);
      directory.check();
      notes.check();
      return;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const isInUse = error instanceof HoldfastError && error.kind === 'directory-in-use';
      if (isInUse && clock.monotonicMs() >= endMs) throw error;
      waits(why);
      if (why !== told) log.warn({ why }, 'waiting for the session directory');
      told = why;
      await delay(clock, retryMs);
    }
  }
}
