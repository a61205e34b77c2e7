/**
 * Where a gateway's pods come from: exactly one source, read as far as it can be without asking anybody.
 *
 * Must not know how a source is asked.
 */

import { isIP } from 'node:net';

import { parseAddress } from '../base/address.ts';
import type { NamedAddress, PodsPlace } from './config.ts';
import type { Report } from './problems.ts';
import type { Keys } from './schema.ts';

/** Undefined where something is wrong, which is reported. */
export function settlePods({ pods }: Keys, report: Report): PodsPlace | undefined {
  const { static: entries, dns, kubernetes } = pods;
  const given = [entries, dns, kubernetes].filter((source) => source !== undefined).length;
  if (given === 0) report('pods', 'needs one of static, dns and kubernetes: the role gateway has to know its pods');
  if (given > 1) report('pods', 'takes one of static, dns and kubernetes');
  const listed = entries === undefined ? undefined : settleStatic(entries, report);
  const places = [
    listed,
    dns === undefined ? undefined : settleDns(dns, report),
    kubernetes === undefined ? undefined : settleKubernetes(kubernetes, report),
  ];
  return places.find((place) => place !== undefined);
}

function settleStatic(entries: readonly string[], report: Report): PodsPlace {
  if (entries.length === 0) report('pods.static', 'is empty');
  const pods: NamedAddress[] = [];
  entries.forEach((entry, index) => {
    const at = entry.indexOf('=');
    const name = entry.slice(0, at);
    const address = parseAddress(entry.slice(at + 1));
    if (!/^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name))
      report(`pods.static[${index}]`, `"${name}" is not a pod name`);
    else if (address === undefined || address.port === 0)
      report(`pods.static[${index}]`, `"${entry}" is not NAME=HOST:PORT`);
    else if (pods.some((pod) => pod.name === name))
      report(`pods.static[${index}]`, `the name "${name}" is given twice`);
    else pods.push({ name, address });
  });
  return { kind: 'static', pods };
}

function settleDns(given: string, report: Report): PodsPlace | undefined {
  const address = parseAddress(given);
  if (address === undefined || address.port === 0) {
    report('pods.dns', `"${given}" is not HOST:PORT`);
    return undefined;
  }
  if (isIP(address.host) !== 0) {
    report('pods.dns', `"${given}" is an address and no name: use pods.static`);
    return undefined;
  }
  return { kind: 'dns', ...address };
}

function settleKubernetes(
  { namespace, service, port, deletionCost }: NonNullable<Keys['pods']['kubernetes']>,
  report: Report,
): PodsPlace | undefined {
  if (service !== undefined) return { kind: 'kubernetes', namespace, service, port, deletionCost };
  report('pods.kubernetes.service', 'is needed: the name of the Service whose pods these are');
  return undefined;
}
