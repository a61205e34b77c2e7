/**
 * Which requests the keeper has nothing to do with (rules 18): `skip` keeps affinity but stores nothing,
 * `ignore` makes a request a stranger altogether (probes that would fill the store with sessions). Our own probe of
 * the application is always ignored.
 *
 * Must not know what keeping means.
 */

import type { RequestHead } from '../http1/request-head.ts';
import { probeAgent } from '../upstream/probe.ts';

export interface KeeperScopeOptions {
  readonly skip: { readonly paths: readonly string[]; readonly methods: readonly string[] };
  readonly ignore: { readonly paths: readonly string[]; readonly userAgents: readonly string[] };
}

export class KeeperScope {
  readonly #options: KeeperScopeOptions;

  /** All texts but the methods are beginnings. */
  constructor(options: KeeperScopeOptions) {
    this.#options = options;
  }

  skips(head: RequestHead): boolean {
    const { skip } = this.#options;
    if (skip.methods.length > 0 && skip.methods.includes(head.method)) return true;
    return skip.paths.length > 0 && matchesPath(skip.paths, head.target);
  }

  ignores(head: RequestHead): boolean {
    const { ignore } = this.#options;
    if (ignore.paths.length > 0 && matchesPath(ignore.paths, head.target)) return true;
    const agent = head.fields.find((field) => field.lower === 'user-agent')?.value;
    if (agent === undefined) return false;
    return agent === probeAgent || ignore.userAgents.some((prefix) => agent.startsWith(prefix));
  }
}

function matchesPath(beginnings: readonly string[], target: string): boolean {
  return beginnings.some((beginning) => target.startsWith(beginning));
}
