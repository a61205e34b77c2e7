/**
 * Pods from the configuration: `name=host:port`. A host name stays a name; it is resolved when it is dialled.
 *
 * Must not know health or sessions.
 */

import { parseAddress } from '../base/address.ts';
import type { ListedPod } from './pod-set.ts';

export type StaticPods =
  | { readonly kind: 'pods'; readonly pods: readonly ListedPod[] }
  /** `index`: of the entry in the list. All problems, not only the first. */
  | { readonly kind: 'problems'; readonly problems: readonly { readonly index: number; readonly problem: string }[] };

/** Reads `pods.static`. Names: letters, digits, `.`, `_` and `-`, at most 253, each once; they go into logs and fields. */
export function parseStaticPods(entries: readonly string[]): StaticPods {
  const pods: ListedPod[] = [];
  const problems: { index: number; problem: string }[] = [];
  const names = new Set<string>();
  entries.forEach((entry, index) => {
    const equals = entry.indexOf('=');
    const name = entry.slice(0, Math.max(equals, 0));
    const address = parseAddress(entry.slice(equals + 1));
    if (equals === -1) problems.push({ index, problem: 'is not name=host:port' });
    else if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(name))
      problems.push({ index, problem: 'has no usable name before the =' });
    else if (address === undefined || address.port === 0)
      problems.push({ index, problem: 'has no host:port behind the =' });
    else if (names.has(name)) problems.push({ index, problem: `repeats the name ${name}` });
    else {
      names.add(name);
      pods.push({ name, address });
    }
  });
  return problems.length > 0 ? { kind: 'problems', problems } : { kind: 'pods', pods };
}
