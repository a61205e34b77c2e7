/** A role that has been started, as run.ts and dev.ts see it. */

import type { Address } from '../base/address.ts';
import type { Window } from '../admin/window.ts';

export interface RunningRole {
  readonly window: Window;
  /** Where it really listens, in the order of `listen`. */
  readonly addresses: readonly Address[];
  /** Graceful: what is in flight ends, sessions are stored and released. Bounded by `timeouts.drain`. */
  drain(): Promise<void>;
  /** After drain(), or at once: ends everything that is open. */
  close(): Promise<void>;
  /** As kill -9 would: connections are reset, nothing is stored or released. For `dev`. */
  kill(): void;
}
