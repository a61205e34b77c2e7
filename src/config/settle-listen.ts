/**
 * The entries of `listen`: what each asks of a connection, and what that needs elsewhere.
 *
 * Must not know other keys than those it is given.
 */

import { parseAddress } from '../base/address.ts';
import type { ListenPlace, PemSource, TlsSettings } from '../proxy/listen-place.ts';
import { isPlain } from '../proxy/listen-place.ts';
import { readAuthority, readPair, readPem } from '../proxy/tls-certificate.ts';
import { listenEntry, type TlsKeys } from './listen-schema.ts';
import type { Report } from './problems.ts';
import type { Keys } from './schema.ts';

/** @returns the places that can be used; undefined where there is none, and then it was reported. */
export function settleListen(
  { listen, trustedProxies, role }: Pick<Keys, 'listen' | 'trustedProxies' | 'role'>,
  report: Report,
): [ListenPlace, ...ListenPlace[]] | undefined {
  const places = listen.map((entry, index) => {
    const path = listen.length === 1 ? 'listen' : `listen[${index}]`;
    const place = readEntry(entry, path, report);
    if (place?.proxyProtocol === true && trustedProxies.length === 0) {
      report(`${path}.proxyProtocol`, 'needs trustedProxies: from all others such connections are closed');
    }
    return place;
  });
  places.forEach((place, index) => {
    const before = places.slice(0, index).findIndex((other) => isSameAddress(place, other));
    if (before >= 0) report(`listen[${index}]`, `is the address of listen[${before}]`);
  });
  const [first, ...rest] = places.filter((place) => place !== undefined);
  if (first === undefined) return undefined;
  if (role === 'sidecar' && ![first, ...rest].some(isPlain)) {
    report('listen', 'needs a plain entry, without tls and proxyProtocol: gateways and other sidecars connect there');
  }
  return [first, ...rest];
}

/** Port 0 is another port each time. */
function isSameAddress(one: ListenPlace | undefined, other: ListenPlace | undefined): boolean {
  return one !== undefined && one.port !== 0 && one.host === other?.host && one.port === other.port;
}

function readEntry(entry: Keys['listen'][number], path: string, report: Report): ListenPlace | undefined {
  const address = parseAddress(entry.address);
  if (address === undefined) report(path, `"${entry.address}" is not host:port`);
  const read = listenEntry.safeParse(entry);
  for (const issue of read.error?.issues ?? []) {
    const at = [path, ...issue.path.map((step) => (typeof step === 'number' ? `[${step}]` : String(step)))];
    const name = at.join('.').replaceAll('.[', '[');
    // Values are not shown: there may be keys among them.
    if (issue.code !== 'unrecognized_keys') report(name, issue.message);
    else for (const unknown of issue.keys) report(`${name}.${unknown}`, 'is no key of the configuration');
  }
  if (address === undefined || read.data === undefined) return undefined;
  const { proxyProtocol } = read.data;
  const tls = read.data.tls === undefined ? undefined : settleTls(read.data.tls, `${path}.tls`, report);
  return { ...address, ...(proxyProtocol ? { proxyProtocol } : {}), ...(tls === undefined ? {} : { tls }) };
}

function settleTls(given: TlsKeys, path: string, report: Report): TlsSettings {
  const { certificate, key, certificates, clientCa, minVersion, ticketKey } = given;
  const clientCertificate = given.clientCertificate ?? (clientCa === undefined ? 'off' : 'required');
  if (clientCertificate !== 'off' && clientCa === undefined) {
    report(`${path}.clientCa`, 'is needed: the certificates that sign those of clients');
  }
  const isPair = certificate !== undefined || key !== undefined;
  if (isPair === (certificates !== undefined)) report(path, 'takes certificate and key, or certificates');
  else if (isPair && certificate === undefined) report(`${path}.certificate`, 'is needed');
  else if (isPair && key === undefined) report(`${path}.key`, 'is needed');
  const pairs = certificates ?? (certificate !== undefined && key !== undefined ? [{ certificate, key }] : []);
  const sources = pairs.map((pair) => ({ certificate: pemSource(pair.certificate), key: pemSource(pair.key) }));
  sources.forEach((pair, index) => {
    const words = unusable(() => readPair(readPem(pair.certificate), readPem(pair.key)));
    if (words !== undefined) report(certificates === undefined ? path : `${path}.certificates[${index}]`, words);
  });
  const authority = clientCa === undefined ? undefined : pemSource(clientCa);
  const words = authority === undefined ? undefined : unusable(() => readAuthority(readPem(authority)));
  if (words !== undefined) report(`${path}.clientCa`, words);
  return { certificates: sources, minVersion, clientCertificate, clientCa: authority, ticketKey };
}

/** `file:` stays a reference up to here: the file is read again when it changes. */
function pemSource(given: string): PemSource {
  return given.startsWith('file:') ? { kind: 'file', path: given.slice(5) } : { kind: 'text', text: given };
}

function unusable(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
