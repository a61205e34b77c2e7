/**
 * What an import did, in lines for people: one for each thing that occurred.
 *
 * Must not know how it was done.
 */

import type { NotImported } from '../sessions/import-source.ts';
import type { PlantResult } from '../store/contract.ts';
import { grouped } from './import-progress.ts';

export interface ImportCounts {
  readonly of: (what: PlantResult | NotImported) => number;
  /** Files with a session's name, counted before the run. */
  readonly files: number;
  readonly links: number;
  readonly strangers: number;
}

export interface ImportFacts {
  readonly dryRun: boolean;
  readonly seconds: number;
  readonly lifetimeMs: number;
  readonly maxBytes: number;
  /** Whose files were read. */
  readonly uid: number | undefined;
}

/** Lines, each with its end. The first says how many sessions were stored. */
export function describeImport(counts: ImportCounts, facts: ImportFacts): string {
  const { of, files, links, strangers } = counts;
  const { dryRun, seconds, lifetimeMs, maxBytes, uid } = facts;
  const stored = of('planted') + of('renewed');
  const verb = dryRun ? 'would be imported' : 'imported';
  const lines: readonly (readonly [number, string])[] = [
    [of('renewed'), 'of them had changed since an earlier import'],
    [of('same'), dryRun ? 'were imported before; changed ones would be imported again' : 'were imported before'],
    [of('kept'), 'are in the store already: sidecars keep them, or they were logged out'],
    [of('noted'), 'belong to the sidecar of this directory, which stores them itself'],
    [of('expired'), `expired: not written for ${minutes(lifetimeMs)} (session.lifetime)`],
    [of('empty'), 'empty'],
    [of('too-large'), `larger than ${grouped(maxBytes)} bytes (sessions.maxBytes)`],
    [of('other-owner'), `of another user than ${uid ?? 'most'}, who has most of them; --owner UID chooses`],
    [of('gone'), 'ended meanwhile'],
    [of('locked'), 'locked by requests for too long'],
    [of('unreadable'), 'could not be read'],
    [links, 'symbolic links or no regular files'],
    [strangers, "other files, whose names are no session's"],
  ];
  const first = `${grouped(stored)} ${stored === 1 ? 'session' : 'sessions'} ${verb}, of ${grouped(files)} files, in ${seconds.toFixed(1)} s\n`;
  return first + lines.map(([count, words]) => (count === 0 ? '' : `  ${grouped(count)} ${words}\n`)).join('');
}

function minutes(ms: number): string {
  return `${grouped(Math.round(ms / 60_000))} minutes`;
}
