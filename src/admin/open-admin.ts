/**
 * Opens what a configuration asks for: the window, and the probes' small one. Rules 37: nobody asked for the
 * default place, so if it can't be taken a warning is enough; a place that was asked for has to be there.
 *
 * Must not know roles.
 */

import type { Address } from '../base/address.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { MetricsPage } from '../base/metrics.ts';
import type { Admin, AdminOptions } from './admin-server.ts';
import { createAdmin } from './admin-server.ts';
import type { Window } from './window.ts';

export interface OpenAdminOptions {
  readonly admin: {
    readonly place: AdminOptions['listen'] | undefined;
    readonly byDefault: boolean;
    readonly token: string | undefined;
  };
  readonly probes: Address | undefined;
  readonly window: Window;
  readonly metrics: MetricsPage;
  readonly log: Log;
}

/** @throws HoldfastError 'listen-failed' for a place that was asked for; what was opened before is closed. */
export async function openAdmin(options: OpenAdminOptions): Promise<readonly Admin[]> {
  const { window, metrics, log, probes } = options;
  const { place, byDefault, token } = options.admin;
  const opened: Admin[] = [];
  try {
    if (probes !== undefined) {
      opened.push(await createAdmin({ listen: { kind: 'tcp', address: probes }, full: false, window, metrics, log }));
    }
    if (place !== undefined) opened.push(await createAdmin({ listen: place, full: true, token, window, metrics, log }));
  } catch (error) {
    const missing = opened.length === (probes === undefined ? 0 : 1) && place !== undefined;
    if (!(missing && byDefault && error instanceof HoldfastError)) {
      await Promise.all(opened.map((admin) => admin.close()));
      throw error;
    }
    log.warn({ error }, 'the admin window could not be opened; going on without it');
  }
  return opened;
}
