/**
 * What an entry of `listen` may hold beside its address. A schema of its own, because entries stand in a list: they have no
 * place among the keys with names in the environment (keys.ts).
 *
 * Must not know what follows from it (settle-listen.ts).
 */

import { z } from 'zod';
import { flag } from './values.ts';

export const listenEntry = z.strictObject({
  address: z.string({ error: 'is not host:port' }).meta({ kind: 'host:port' }).describe('Where clients connect.'),
  proxyProtocol: flag()
    .prefault(false)
    .describe(
      'Each connection begins with a PROXY header, version 1 or 2, which names the client. Only from `trustedProxies`; every other connection is closed.',
    ),
});
