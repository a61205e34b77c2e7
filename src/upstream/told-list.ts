/**
 * What the later lists of a source change, in the log.
 *
 * Must not know what follows from it.
 */

import type { Log } from '../base/log.ts';
import type { ListChanges } from '../pods/list-changes.ts';
import type { Pod } from '../pods/pod.ts';
import type { PodSet } from '../pods/pod-set.ts';

/** @param now the set with the changes */
export function tellList({ added, removed, turned }: ListChanges, now: PodSet, log: Log): void {
  if (added.length + removed.length > 0) {
    const names = (list: readonly Pod[]): readonly string[] => list.map(({ name }) => name);
    log.info({ added: names(added), removed: names(removed), pods: now.pods.length }, 'other pods are listed');
  }
  for (const { name, state, why } of turned) log.info({ pod: name, state, why }, 'a pod changed its state');
}
