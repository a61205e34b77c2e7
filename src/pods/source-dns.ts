/**
 * Pods from the addresses of a name: a headless Service, which answers with those of its ready pods. A pod has no other
 * name here than its address (rules 28), and nothing tells that one is about to go: it is gone when its address is.
 *
 * IPv4 addresses count where there are any, else IPv6: of a pod that has both nobody could say that it is one.
 *
 * A name server that does not answer changes nothing for an hour, one that says that there is no such name for half a
 * minute (one that has just started may say so); then no pods are left, and the search domains are gone through again.
 *
 * Must not know health or sessions.
 */

import type { RecordWithTtl } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';

import { backoffMs } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { candidateNames } from './dns-names.ts';
import type { ListedPod } from './pod-set.ts';
import { type PodSource, SourceFailure, type SourceView } from './pod-source.ts';
import { SourceLedger } from './source-ledger.ts';

export interface DnsPlace {
  readonly host: string;
  readonly port: number;
}

export interface DnsSourceOptions {
  readonly place: DnsPlace;
  readonly clock: Clock;
  readonly log: Log;
  /** [0, 1) */
  readonly random: () => number;
  /** Name servers, `address:port`; by default those of resolv.conf. */
  readonly servers?: readonly string[];
  readonly resolvConf?: string;
}

interface Found {
  readonly addresses: readonly string[];
  readonly ttlMs: number;
}

/** How long the last known pods stay where there is no such name, and where nobody answers. */
export const noNameKeptMs = 30_000;
export const noAnswerKeptMs = 3_600_000;
/** Between two questions: what the answer says that it is good for, within these bounds. */
const askedMinMs = 1000;
const askedMaxMs = 30_000;
const backoff = { firstMs: 500, maxMs: 10_000 };
/** For each try of each name, and how many. */
const questionMs = 2000;
const tries = 2;

export class DnsSource implements PodSource {
  readonly what: string;
  readonly #options: DnsSourceOptions;
  readonly #ledger: SourceLedger;
  /** The name that was found, the only one asked for until it is believed to be no more. */
  #found: string | undefined;
  #failures = 0;
  /** Since when nobody has told addresses, and since when all say that there is no such name; monotonic. */
  #missedSinceMs: number | undefined;
  #namelessSinceMs: number | undefined;
  #timer: Timer | undefined;
  #resolver: Resolver | undefined;
  #stopped = false;

  constructor(options: DnsSourceOptions) {
    this.#options = options;
    this.what = `name ${options.place.host}`;
    this.#ledger = new SourceLedger({ clock: options.clock, log: options.log, what: this.what });
  }

  get view(): SourceView {
    return this.#ledger;
  }

  start(listed: (pods: readonly ListedPod[]) => void): void {
    this.#ledger.passTo(listed);
    void this.#round();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#resolver?.cancel();
  }

  async #round(): Promise<void> {
    const { clock, random } = this.#options;
    const nextMs = await this.#ask().then(
      (found) => this.#took(found),
      (error: unknown) => {
        const failure = asFailure(error);
        if (!this.#isStopped()) this.#missed(failure);
        return backoffMs(++this.#failures, { ...backoff, random });
      },
    );
    if (!this.#isStopped()) this.#timer = clock.after(nextMs, () => void this.#round());
  }

  #took({ addresses, ttlMs }: Found): number {
    if (this.#isStopped()) return 0;
    this.#failures = 0;
    this.#missedSinceMs = undefined;
    this.#namelessSinceMs = undefined;
    this.#ledger.heard();
    this.#list(addresses);
    return Math.min(Math.max(ttlMs, askedMinMs), askedMaxMs) * (1 + this.#options.random() / 10);
  }

  #missed(failure: SourceFailure): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#missedSinceMs ??= nowMs;
    this.#namelessSinceMs = failure.kind === 'no-name' ? (this.#namelessSinceMs ?? nowMs) : undefined;
    this.#ledger.failed(failure);
    const isNameless = nowMs - (this.#namelessSinceMs ?? nowMs) >= noNameKeptMs;
    if (isNameless) this.#found = undefined;
    const isOver = isNameless || nowMs - this.#missedSinceMs >= noAnswerKeptMs;
    if (isOver && this.#ledger.pods.length > 0) this.#list([]);
  }

  #list(addresses: readonly string[]): void {
    const { host, port } = this.#options.place;
    // In any order, and each once.
    const pods = [...new Set(addresses)].toSorted().map((each) => ({ name: each, address: { host: each, port } }));
    const note =
      pods.length === 0 ? `${host} has no addresses: a headless Service has those of its ready pods` : undefined;
    this.#ledger.list(pods, { skipped: new Map(), note });
  }

  /** @throws SourceFailure 'no-name', or what asFailure() makes of an answer */
  async #ask(): Promise<Found> {
    const { place, servers } = this.#options;
    const resolvConf = this.#options.resolvConf ?? (await readFile('/etc/resolv.conf', 'utf8').catch(() => ''));
    // A new one reads resolv.conf again.
    const resolver = new Resolver({ timeout: questionMs, tries });
    if (servers !== undefined) resolver.setServers(servers);
    this.#resolver = resolver;
    const names = this.#found === undefined ? candidateNames(place.host, resolvConf) : [this.#found];
    for (const name of names) {
      if (this.#isStopped()) break;
      try {
        const found = await addressesOf(resolver, name);
        this.#found = name;
        return found;
      } catch (error) {
        // Only where there is no such name another may be meant: one that could not be asked for may be the right one,
        // and a search domain further on may answer to any name.
        if (asFailure(error).kind !== 'no-name') throw error;
      }
    }
    const asked = names.join(', ');
    const words = `no name ${place.host}, or a headless Service without ready pods (asked for ${asked})`;
    throw new SourceFailure('no-name', words);
  }

  #isStopped(): boolean {
    return this.#stopped;
  }
}

/** IPv4 addresses, else IPv6; none where the name has neither. */
async function addressesOf(resolver: Resolver, name: string): Promise<Found> {
  const four = await answered(resolver.resolve4(name, { ttl: true }));
  const records = four.length > 0 ? four : await answered(resolver.resolve6(name, { ttl: true }));
  const ttlMs = Math.min(...records.map(({ ttl }) => ttl * 1000), askedMaxMs);
  return { addresses: records.map(({ address }) => address), ttlMs: records.length === 0 ? askedMinMs : ttlMs };
}

/** A name without records of this kind is an answer. */
async function answered(question: Promise<RecordWithTtl[]>): Promise<readonly RecordWithTtl[]> {
  try {
    return await question;
  } catch (error) {
    if (codeOf(error) === 'ENODATA') return [];
    throw error;
  }
}

function asFailure(error: unknown): SourceFailure {
  if (error instanceof SourceFailure) return error;
  const code = codeOf(error);
  const words = `the name server: ${error instanceof Error ? error.message : String(error)}`;
  if (code === 'ENOTFOUND') return new SourceFailure('no-name', words);
  const isAnswer = code === 'ESERVFAIL' || code === 'EREFUSED' || code === 'ENOTIMP' || code === 'EFORMERR';
  return new SourceFailure(isAnswer ? 'refused' : 'unreachable', words);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
