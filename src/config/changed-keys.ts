/**
 * Which keys differ between two configurations, by their paths. For a reload, which has to say what it can't change.
 *
 * Must not know which keys those are. Shows no values.
 */

import { isDeepStrictEqual } from 'node:util';
import { keys as allKeys } from './keys.ts';
import { valueAt } from './problems.ts';
import type { Keys } from './schema.ts';

/** In the order of the schema. */
export function changedKeys(before: Keys, after: Keys): readonly string[] {
  return allKeys.flatMap(({ path, branch }) => {
    // Deadlines bear their unit once they are read (limits-schema.ts).
    const steps = (path.startsWith('timeouts.') ? `${path}Ms` : path).split('.');
    return branch || isDeepStrictEqual(valueAt(before, steps), valueAt(after, steps)) ? [] : [path];
  });
}
