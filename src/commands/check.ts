/**
 * `holdfast check`: is the configuration usable? Reads nothing but the configuration and this machine's table
 * of listening sockets; connects to nothing.
 */

import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { formatAddress } from '../base/address.ts';
import type { Config, PodsPlace } from '../config/config.ts';
import { isLoopback } from '../config/settle.ts';
import type { ListenPlace } from '../proxy/listen-place.ts';
import { readPair, readPem } from '../proxy/tls-certificate.ts';
import { parseSavePath } from '../sessions/session-name.ts';
import type { ConfigOptions } from './load-or-complain.ts';
import { loadOrComplain } from './load-or-complain.ts';

/** Exit code 0 with a summary, or 1 with all problems. Warnings change nothing. */
export function check(options: ConfigOptions): number {
  const warn = (words: string): void => void process.stderr.write(`warning: ${words}\n`);
  const config = loadOrComplain(options, { warn });
  if (config === undefined) return 1;
  for (const warning of warnings(config)) warn(warning);
  process.stdout.write(`The configuration is usable: ${summary(config)}\n`);
  return 0;
}

function summary(config: Config): string {
  const places = config.listen.map(formatAddress).join(', ');
  const store = `sessions in ${config.store.shownUrl}`;
  if (config.role === 'sidecar') {
    return `sidecar of ${config.pod.name} on ${places}, application at ${formatAddress(config.application)}, ${store}`;
  }
  return `gateway on ${places} before ${podsIn(config.pods.place)}, ${config.pods.sidecars ? store : 'affinity only'}`;
}

function podsIn(place: PodsPlace): string {
  switch (place.kind) {
    case 'static':
      return `${place.pods.length} ${place.pods.length === 1 ? 'pod' : 'pods'}`;
    case 'dns':
      return `the pods of ${formatAddress(place)}`;
    case 'kubernetes': {
      const { namespace, service, port } = place;
      const at = port === undefined ? '' : `, port ${port}`;
      return `the pods of Service ${namespace === undefined ? service : `${namespace}/${service}`}${at}`;
    }
  }
}

/** Rules 39: whoever reaches the application directly goes past the keeper. */
function warnings(config: Config): readonly string[] {
  const found = config.listen.flatMap((place) => certificateWarnings(place));
  if (config.role !== 'sidecar') return found;
  const { application, sessions } = config;
  if (!isLoopback(application.host)) {
    found.push(
      `application: ${formatAddress(application)} is not on this machine's loopback: others may reach it past this sidecar, which keeps the files of one pod only`,
    );
  } else if (listensEverywhere(application.port)) {
    found.push(
      `the application listens on all interfaces at port ${application.port}: others can reach it past this sidecar; let it listen on 127.0.0.1`,
    );
  }
  if (!isAbsolute(parseSavePath(sessions.directory).directory)) {
    found.push(
      `sessions.directory: "${sessions.directory}" is relative to wherever this process is started; write the whole path`,
    );
  }
  return found;
}

/** Enough to get a new one by hand. */
const expiryWarningMs = 14 * 86_400_000;

/** An expired certificate is served all the same, as everywhere: the listener's other names would go with it. */
function certificateWarnings(place: ListenPlace): string[] {
  const nowMs = Date.now();
  return (place.tls?.certificates ?? []).flatMap(({ certificate, key }, index) => {
    const { names, startsMs, expiresMs } = readPair(readPem(certificate), readPem(key));
    const what = `listen ${formatAddress(place)}: certificate ${index}`;
    const found: string[] = [];
    if (names.length === 0) found.push(`${what} has no DNS name in its subjectAltName: no client will accept it`);
    if (expiresMs <= nowMs) found.push(`${what} has expired at ${new Date(expiresMs).toISOString()}`);
    else if (expiresMs - nowMs < expiryWarningMs) found.push(`${what} expires at ${new Date(expiresMs).toISOString()}`);
    if (startsMs > nowMs) found.push(`${what} is valid from ${new Date(startsMs).toISOString()} only`);
    return found;
  });
}

/** Whether some socket of this network namespace listens on that port of every interface; false where unknown. */
function listensEverywhere(port: number): boolean {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  return ['/proc/net/tcp', '/proc/net/tcp6'].some((table) => {
    try {
      // "sl local_address rem_address st ...": 0A is LISTEN (proc_net_tcp.txt in the kernel's documentation).
      return readFileSync(table, 'utf8')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .some(
          ([, local, , state]) => state === '0A' && local !== undefined && new RegExp(`^0+:${hexPort}$`).test(local),
        );
    } catch {
      return false;
    }
  });
}
