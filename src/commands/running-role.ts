/** A role of the proxy as run.ts and dev.ts see it: put together, then started. */

import type { Address } from '../base/address.ts';
import type { Window } from '../admin/window.ts';
import type { Config } from '../config/config.ts';

export interface RunningRole {
  readonly window: Window;
  /**
   * Resolves when it serves. A sidecar may wait for long: for its session directory. The window is true meanwhile.
   * @throws HoldfastError 'listen-failed', 'directory-unusable'.
   */
  start(): Promise<void>;
  /** Where it really listens, in the order of `listen`; empty before start() is done. */
  readonly addresses: readonly Address[];
  /**
   * Takes from another configuration of the same role the keys (the store's, the pins', the application's) and the list
   * of pods.
   * @throws HoldfastError 'bad-configuration'; then nothing has changed.
   */
  takeOver(next: Config): void;
  /**
   * Graceful: what is in flight ends, sessions are stored and released. Bounded by `timeouts.drain`.
   * @param choice replaced: another process serves the same addresses already (a gateway's worker)
   */
  drain(choice?: { readonly replaced: boolean }): Promise<void>;
  /** After drain(), or at any time: ends everything that is open. */
  close(): Promise<void>;
  /** As kill -9 would: connections are reset, nothing is stored or released. For `dev`. */
  kill(): void;
}
