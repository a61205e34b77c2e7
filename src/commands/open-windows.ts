/**
 * The window of a running process, as one part of its life.
 *
 * Must not know what it shows.
 */

import { openAdmin, type OpenAdminOptions } from '../admin/open-admin.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Lifecycle } from '../base/lifecycle.ts';
import { closeBoundMs } from './process-end.ts';

/**
 * @returns how it is closed.
 * @throws HoldfastError 'bad-configuration' for a place that was asked for and can't be had: starting again would not
 *   help (rules 37).
 */
export async function openWindows(options: OpenAdminOptions): Promise<Parameters<Lifecycle['add']>[0]> {
  const windows = await openAdmin(options).catch((error: unknown) => {
    throw error instanceof HoldfastError
      ? new HoldfastError('bad-configuration', error.message, { cause: error })
      : error;
  });
  return {
    name: 'admin',
    boundMs: closeBoundMs,
    stop: async () => {
      await Promise.all(windows.map((window) => window.close()));
    },
  };
}
