/**
 * For each alert series that fire it, and series beside them that do not, in promtool's notation (`0x20`: 0, twenty times
 * more; `0+1x20`: rising by 1), a sample every 15 s.
 */

type SeriesValues = Readonly<Record<string, string>>;

interface AlertCase {
  /** When it is looked at. */
  readonly minutes: number;
  readonly fires: SeriesValues;
  readonly silent: SeriesValues;
}

const gateway = 'namespace="shop", job="holdfast-gateway", instance="10.0.0.1:9903"';
const otherGateway = 'namespace="shop", job="holdfast-gateway", instance="10.0.0.4:9903"';
const sidecar = 'namespace="shop", job="holdfast-sidecar", instance="10.0.0.2:9903"';
const other = 'namespace="shop", job="holdfast-sidecar", instance="10.0.0.3:9903"';

/** A counter of the sidecars that has counted, and one that has not. */
function counted(name: string, besides?: string): AlertCase {
  const rest = besides === undefined ? {} : { [`${besides}{${sidecar}}`]: '0x40' };
  return {
    minutes: 5,
    fires: { [`${name}{${sidecar}}`]: '3x4 5x36', ...rest },
    silent: { [`${name}{${sidecar}}`]: '3x40', ...rest },
  };
}

/** A gauge that has had a value for so many minutes, and another one. */
function gauge(
  minutes: number,
  series: string,
  values: { readonly fires: number; readonly silent: number },
): AlertCase {
  return {
    minutes,
    fires: { [series]: `${values.fires}x${minutes * 4}` },
    silent: { [series]: `${values.silent}x${minutes * 4}` },
  };
}

export const alertCases: Readonly<Record<string, AlertCase>> = {
  HoldfastStoreDown: {
    minutes: 3,
    fires: { [`holdfast_store_up{${sidecar}}`]: '1x12', [`holdfast_store_up{${other}}`]: '0x12' },
    // Away for half a minute.
    silent: { [`holdfast_store_up{${sidecar}}`]: '1 1 0 0 1x10' },
  },
  HoldfastSessionsExposed: gauge(3, `holdfast_sessions_exposed_seconds{${sidecar}}`, { fires: 40, silent: 20 }),
  HoldfastSessionsLost: counted('holdfast_keeper_unsynced_lost_total', 'holdfast_keeper_async_lost_total'),
  HoldfastSessionsUnsealable: counted('holdfast_keeper_unsealable_total'),
  HoldfastCookieUnreadable: {
    minutes: 3,
    fires: { [`holdfast_session_cookie_notices_total{${gateway}, kind="cookie-unreadable"}`]: '1x12' },
    silent: { [`holdfast_session_cookie_notices_total{${gateway}, kind="cookie-chosen"}`]: '1x12' },
  },
  HoldfastAnswersRefused: counted('holdfast_keeper_unsynced_full_total'),
  HoldfastSessionFiles: counted('holdfast_keeper_mass_deletions_total', 'holdfast_keeper_file_faults_total'),
  HoldfastSessionsTooLarge: counted('holdfast_keeper_too_large_total'),
  HoldfastDown: gauge(4, `up{${gateway}}`, { fires: 0, silent: 1 }),
  HoldfastNoPodReady: gauge(2, `holdfast_pods{${gateway}, state="ready"}`, { fires: 0, silent: 1 }),
  HoldfastPodsPanic: gauge(3, `holdfast_pods_panic{${gateway}}`, { fires: 1, silent: 0 }),
  HoldfastDiscoveryDown: {
    minutes: 5,
    // One gateway of two is enough.
    fires: { [`holdfast_discovery_up{${gateway}}`]: '1x4 0x20', [`holdfast_discovery_up{${otherGateway}}`]: '1x24' },
    // An API server that is restarted, and a gateway that starts.
    silent: {
      [`holdfast_discovery_up{${gateway}}`]: '1x4 0x8 1x12',
      [`holdfast_discovery_up{${otherGateway}}`]: '_x12 0x2 1x10',
    },
  },
  HoldfastApplicationDown: gauge(4, `holdfast_application_up{${sidecar}}`, { fires: 0, silent: 1 }),
  HoldfastFailures: {
    minutes: 12,
    fires: {
      [`holdfast_exchange_failures_total{${gateway}, reason="upstream-refused", side="upstream"}`]: '0+3x48',
      [`holdfast_requests_total{${gateway}, method="GET", status="200", affinity="hit"}`]: '0+100x48',
    },
    silent: {
      [`holdfast_exchange_failures_total{${gateway}, reason="client-gone", side="client"}`]: '0+30x48',
      [`holdfast_exchange_failures_total{${gateway}, reason="upstream-refused", side="upstream"}`]: '0x48',
      [`holdfast_requests_total{${gateway}, method="GET", status="200", affinity="hit"}`]: '0+100x48',
    },
  },
  HoldfastLimitNear: {
    minutes: 7,
    fires: {
      [`holdfast_limit_use{${gateway}, limit="connections"}`]: '9000x28',
      [`holdfast_limit_maximum{${gateway}, limit="connections"}`]: '10000x28',
    },
    // 0: there is no limit.
    silent: {
      [`holdfast_limit_use{${gateway}, limit="connections"}`]: '9000x28',
      [`holdfast_limit_maximum{${gateway}, limit="connections"}`]: '0x28',
    },
  },
  HoldfastBusy: gauge(12, `holdfast_event_loop_utilization_ratio{${gateway}}`, { fires: 0.97, silent: 0.6 }),
  HoldfastConfigurationRefused: gauge(7, `holdfast_reload_refused{${gateway}}`, { fires: 1, silent: 0 }),
  HoldfastRestartNeeded: gauge(32, `holdfast_reload_keys_waiting{${sidecar}}`, { fires: 2, silent: 0 }),
  // promtool's time begins at 0.
  HoldfastCertificateExpires: gauge(2, `holdfast_tls_certificate_expiry_timestamp_seconds{${gateway}, listen="0.0.0.0:8443", certificate="0"}`, { fires: 6 * 86_400, silent: 8 * 86_400 }), // prettier-ignore
  HoldfastFault: {
    minutes: 5,
    fires: {
      [`holdfast_uncaught_faults_total{${gateway}}`]: '0x4 1x36',
      [`holdfast_faults_total{${gateway}}`]: '0x40',
    },
    silent: { [`holdfast_uncaught_faults_total{${gateway}}`]: '1x40', [`holdfast_faults_total{${gateway}}`]: '0x40' },
  },
};
