/**
 * What `inject` and `injector` have in common: the annotations that hold for all pods, from the command line, and the
 * judge of a sidecar's configuration, which is the sidecar's own loader.
 */

import { loadConfig } from '../config/load.ts';
import { formatProblem } from '../config/problems.ts';
import { annotationProblem, isAnnotation, type Settings } from '../injector/annotations.ts';

export type SidecarDefaults =
  | { readonly kind: 'defaults'; readonly defaults: Settings }
  | { readonly kind: 'problems'; readonly problems: readonly string[] };

/** @param given `name=value`, the name without `holdfast.dev/`. */
export function readDefaults(given: readonly string[], image: string | undefined): SidecarDefaults {
  const problems: string[] = [];
  const defaults: Partial<Record<string, string>> = {};
  const entries = image === undefined ? given : [...given, `image=${image}`];
  for (const entry of entries) {
    const at = entry.indexOf('=');
    const [name, value] = [entry.slice(0, at), entry.slice(at + 1)];
    const problem = at < 1 ? `"${entry}" is not name=value` : annotationProblem(name, value);
    if (problem !== undefined) problems.push(`--default: ${problem}`);
    else if (isAnnotation(name)) defaults[name] = value;
  }
  return problems.length > 0 ? { kind: 'problems', problems } : { kind: 'defaults', defaults };
}

/** What a sidecar with this environment would say before it ends with exit code 1. */
export function judgeSidecar(environment: Readonly<Record<string, string>>): readonly string[] {
  const loaded = loadConfig({ environment });
  return loaded.kind === 'config' ? [] : loaded.problems.map(formatProblem);
}
