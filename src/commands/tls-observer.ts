/** Tells of TLS: handshakes are counted, certificates have their end as a metric and each change as a line in the log. */

import { formatAddress } from '../base/address.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { ListenPlace } from '../proxy/listen-place.ts';
import type { TlsObserver } from '../proxy/tls-edge.ts';

/** For createProxy(). Empty where no place has TLS: then nothing of it is shown. */
export function observeTls(
  listen: readonly ListenPlace[],
  { log, metrics }: { readonly log: Log; readonly metrics: Metrics },
): { readonly tlsObserver?: (place: ListenPlace) => TlsObserver } {
  if (listen.every(({ tls }) => tls === undefined)) return {};
  const handshakes = metrics.counter({
    name: 'tls_handshakes_total',
    help: 'TLS handshakes with clients that are done; failed ones are exchange failures.',
    labels: ['version', 'resumed'],
  });
  const reloads = metrics.counter({
    name: 'tls_certificate_changes_total',
    help: 'Changes of certificate files, by whether they could be used.',
    labels: ['outcome'],
  });
  const ends = new Map<string, readonly [values: readonly string[], seconds: number]>();
  metrics.gauge(
    {
      name: 'tls_certificate_expiry_timestamp_seconds',
      help: 'When the certificate that is served ends, since 1970; by listener and place in its list.',
      labels: ['listen', 'certificate'],
      merge: 'min',
    },
    () => [...ends.values()],
  );
  const tlsObserver = (place: ListenPlace): TlsObserver => ({
    secured(version, resumed) {
      handshakes.child(version, resumed ? 'yes' : 'no').value++;
    },
    served(certificate, { names, expiresMs }, again) {
      const values = [formatAddress(place), String(certificate)];
      ends.set(values.join(' '), [values, expiresMs / 1000]);
      const facts = { listen: values[0], certificate, names, ends: new Date(expiresMs).toISOString() };
      if (again) reloads.child('served').value++;
      if (expiresMs < Date.now()) log.warn(facts, 'a certificate is served that has expired');
      else log.info(facts, again ? 'a changed certificate is served' : 'a certificate is served');
    },
    refused(certificate, error) {
      reloads.child('refused').value++;
      const facts = { listen: formatAddress(place), certificate, error };
      log.error(facts, 'a changed certificate can not be used; the one before it is served on');
    },
  });
  return { tlsObserver };
}
