/**
 * Hears from sentinels that the primary has changed. Without it, a primary that is cut off from the sentinels but
 * not from us would go on answering, and what it acknowledges is lost when it comes back as a replica.
 *
 * Any one sentinel that is heard is enough; those that are away are tried again. Must not know who uses the primary.
 */

import { Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import { withGuardedSockets } from './redis-sockets.ts';

/** Subscriptions; more sentinels than this add nothing. */
const watchedMax = 5;
const reconnectMs = 1000;
const channel = '+switch-master';

export interface SwitchesOptions {
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  /** How a sentinel is reached, besides its address. */
  readonly client: Readonly<RedisOptions>;
  readonly master: string;
  readonly onSwitch: () => void;
}

/** Subscribes at once and for ever; close() ends that. */
export class PrimarySwitches {
  readonly #clients: readonly Redis[];

  constructor({ sentinels, client, master, onSwitch }: SwitchesOptions) {
    this.#clients = sentinels.slice(0, watchedMax).map((address) => {
      const subscriber = new Redis({
        ...withGuardedSockets({ ...client, ...address }),
        enableReadyCheck: false,
        disableClientInfo: true,
        keepAlive: 10_000,
        retryStrategy: () => reconnectMs,
      });
      // Whether sentinels can be reached is told where they are asked for the primary.
      subscriber.on('error', () => undefined);
      // "main 10.0.0.1 6379 10.0.0.2 6379": the name, the old address, the new one.
      subscriber.on('message', (_channel, message) => {
        if (message.split(' ', 1)[0] === master) onSwitch();
      });
      subscriber.subscribe(channel).catch(() => undefined);
      return subscriber;
    });
  }

  close(): void {
    for (const client of this.#clients) client.disconnect();
  }
}
