/**
 * Pods from the EndpointSlices of one Service. Slices are kept by name; each change leads to the whole list again
 * (slices-to-pods.ts), which costs a few milliseconds for a thousand pods.
 *
 * While the API server is away, denies or is silent, the pods that were known last stay.
 *
 * Must not know health or sessions.
 */

import { networkInterfaces } from 'node:os';

import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { ListedPod } from '../pods/pod-set.ts';
import type { PodSource, SourceView } from '../pods/pod-source.ts';
import { SourceLedger } from '../pods/source-ledger.ts';
import { ApiClient } from './api-client.ts';
import { type AddressFamily, nameOfSlice, readSlice, type Slice } from './endpoint-slice.ts';
import { ListWatch } from './list-watch.ts';
import { readApiAccess } from './read-access.ts';
import { type FoldedPods, podsOf } from './slices-to-pods.ts';
import type { WatchEvent } from './watch-lines.ts';

export interface KubernetesPlace {
  /** Undefined: ours. */
  readonly namespace: string | undefined;
  readonly service: string;
  /** @see FoldOptions.port */
  readonly port: string | number | undefined;
}

export interface KubernetesSourceOptions {
  readonly place: KubernetesPlace;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Log;
  /** [0, 1) */
  readonly random: () => number;
  /** @see ListWatchOptions.silenceMs */
  readonly silenceMs?: number;
}

/** Bookmarks come about every minute. */
const defaultSilenceMs = 90_000;

/** @throws HoldfastError 'bad-configuration' where nothing says how to reach an API server. */
export async function openKubernetesSource(options: KubernetesSourceOptions): Promise<PodSource> {
  const access = await readApiAccess(options.env);
  return new KubernetesSource(options, options.place.namespace ?? access.namespace);
}

class KubernetesSource implements PodSource {
  readonly what: string;
  readonly #ledger: SourceLedger;
  readonly #port: KubernetesPlace['port'];
  readonly #family = ownFamily();
  readonly #slices = new Map<string, Slice>();
  readonly #watch: ListWatch;

  constructor(options: KubernetesSourceOptions, namespace: string) {
    const { place, env, clock, log, random, silenceMs = defaultSilenceMs } = options;
    this.what = `Service ${namespace}/${place.service}`;
    this.#port = place.port;
    this.#ledger = new SourceLedger({ clock, log, what: this.what });
    const resource = `apiGroups ["discovery.k8s.io"], resources ["endpointslices"], verbs ["list", "watch"] in namespace ${namespace}, and a RoleBinding to it`;
    this.#watch = new ListWatch({
      open: async () => new ApiClient(await readApiAccess(env), resource),
      path: `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
      labelSelector: `kubernetes.io/service-name=${place.service}`,
      listener: {
        listed: (items) => this.#listed(items),
        changed: (events) => this.#changed(events),
        heard: () => this.#ledger.heard(),
        failed: (failure, isMended) => this.#ledger.failed(failure, isMended),
      },
      clock,
      random,
      silenceMs,
    });
  }

  get view(): SourceView {
    return this.#ledger;
  }

  start(listed: (pods: readonly ListedPod[]) => void): void {
    this.#ledger.passTo(listed);
    this.#watch.start();
  }

  stop(): void {
    this.#watch.stop();
  }

  #listed(items: readonly unknown[]): void {
    this.#slices.clear();
    for (const item of items) this.#keep(item);
    this.#tell();
  }

  #changed(events: readonly WatchEvent[]): void {
    for (const { type, object } of events) {
      if (type === 'DELETED') this.#slices.delete(nameOfSlice(object) ?? '');
      else this.#keep(object);
    }
    this.#tell();
  }

  #keep(object: unknown): void {
    const slice = readSlice(object);
    if (slice !== undefined) this.#slices.set(slice.name, slice);
  }

  #tell(): void {
    const folded = podsOf(this.#slices.values(), { port: this.#port, family: this.#family });
    this.#ledger.list(folded.pods, { skipped: folded.skipped, note: this.#noteOn(folded) });
  }

  /** What whoever wonders where the pods are has to know. */
  #noteOn({ skipped, portNames }: FoldedPods): string | undefined {
    if (this.#slices.size === 0) return `${this.what} has no EndpointSlices: is there such a Service, with a selector?`;
    const missing = skipped.get('no-port') ?? 0;
    const names = portNames.map((name) => (name === '' ? 'one without a name' : name)).join(', ');
    const wanted = this.#port === undefined ? 'exactly one port (set pods.kubernetes.port)' : `the port ${this.#port}`;
    if (missing > 0) return `${missing} endpoints do not have ${wanted}; ports that are there: ${names || 'none'}`;
    const odd = (skipped.get('no-address') ?? 0) + (skipped.get('too-many') ?? 0);
    return odd > 0 ? `${odd} endpoints can not be used: no IP addresses, or too many pods` : undefined;
  }
}

/** IPv4, unless this machine has none. */
function ownFamily(): AddressFamily {
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outside = own.filter(({ internal, address }) => !internal && !address.startsWith('fe80'));
  return outside.length > 0 && outside.every(({ family }) => family === 'IPv6') ? 'IPv6' : 'IPv4';
}
