/**
 * Numbers for Prometheus: every name begins with `holdfast_`, units are seconds and bytes, and no label holds
 * anything that a client chooses (a bounded number of children for each family, then `other`).
 *
 * On the path of a request a metric is a plain number in an object that was fetched beforehand: `count.value++`.
 * The library sees the numbers only when somebody asks for the page.
 *
 * Must not know what is counted; each part creates its own families.
 */

import { AggregatorRegistry, Counter, Gauge, Registry } from 'prom-client';

/** A counter's child: add to it, never set it back. */
export interface Count {
  value: number;
}

export interface FamilyOptions {
  /** With the unit at the end where there is one: `store_wait_seconds_total`. `holdfast_` is added. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

export interface CountFamily {
  /** The child for these label values, in the order of the labels. Look it up beforehand on hot paths. */
  child(...values: readonly string[]): Count;
}

export interface DurationHistogram {
  /** Hot path: a few comparisons and two additions. */
  observe(seconds: number): void;
}

/** How several processes' readings of one gauge become one: `average` where they should agree and may not at a moment. */
export type GaugeMerge = 'sum' | 'average' | 'min' | 'max';

/** All numbers of one process at one moment; plain values, fit to be sent to another process. */
export type MetricsReading = readonly FamilyReading[];

/** As the library writes a family down. */
interface FamilyReading {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly aggregator: GaugeMerge;
  /** Rows by the value of their first label of which the largest counts, whatever the others are merged by. */
  readonly largest?: readonly string[];
  readonly values: readonly {
    /** Where it is not the family's: `..._bucket`, `..._sum`, `..._count`. */
    readonly metricName?: string;
    readonly labels: Readonly<Record<string, string | number>>;
    readonly value: number;
  }[];
}

/** What the window shows at /metrics. */
export interface MetricsPage {
  readonly contentType: string;
  text(): Promise<string>;
}

/** What a gauge shows now: one number, or one for each list of label values. */
export type GaugeReading = number | readonly (readonly [values: readonly string[], value: number])[];

/** Label values may come from configuration (pod names), so there is an end to them. */
const childrenMax = 2000;

const durationBucketsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export class Metrics implements MetricsPage {
  readonly #registry = new Registry();
  readonly #histograms: FixedHistogram[] = [];
  readonly #largest = new Map<string, readonly string[]>();

  /** A counter; the name ends with `_total`. */
  counter(options: FamilyOptions): CountFamily {
    const labels = options.labels ?? [];
    const children = new Children(labels.length);
    new Counter({
      name: `holdfast_${options.name}`,
      help: options.help,
      labelNames: [...labels],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const child of children.all()) this.inc(labelled(labels, child.values), child.count.value);
      },
    });
    return children;
  }

  /**
   * A value that goes up and down, read when the page is asked for. `read` must not throw. Workers' are added up, except
   * for the rows in `largest` (values of the first label).
   */
  gauge(
    options: FamilyOptions & { readonly merge?: GaugeMerge; readonly largest?: readonly string[] },
    read: () => GaugeReading,
  ): void {
    const labels = options.labels ?? [];
    if (options.largest !== undefined) this.#largest.set(`holdfast_${options.name}`, options.largest);
    new Gauge({
      aggregator: options.merge ?? 'sum',
      name: `holdfast_${options.name}`,
      help: options.help,
      labelNames: [...labels],
      registers: [this.#registry],
      collect() {
        const reading = read();
        this.reset();
        if (typeof reading === 'number') this.set(reading);
        else for (const [values, value] of reading) this.set(labelled(labels, values), value);
      },
    });
  }

  /** A counter that somebody else counts, read when the page is asked for. `read` must not throw. */
  countRead(options: Omit<FamilyOptions, 'labels'>, read: () => number): void {
    this.countReadBy(options, () => [[[], read()]]);
  }

  /** The same by labels: one total for each list of label values. */
  countReadBy(
    options: FamilyOptions,
    read: () => readonly (readonly [values: readonly string[], total: number])[],
  ): void {
    const { labels = [] } = options;
    new Counter({
      name: `holdfast_${options.name}`,
      help: options.help,
      labelNames: [...labels],
      registers: [this.#registry],
      collect() {
        const totals = read();
        this.reset();
        for (const [values, total] of totals) this.inc(labelled(labels, values), total);
      },
    });
  }

  /** A distribution of durations without labels; the name ends with `_seconds`. */
  histogram(options: Omit<FamilyOptions, 'labels'>): DurationHistogram {
    const histogram = new FixedHistogram(`holdfast_${options.name}`, options.help);
    this.#histograms.push(histogram);
    return histogram;
  }

  /** Every number as it is now. */
  async read(): Promise<MetricsReading> {
    const families = (await familiesOf(this.#registry)).map((family) => {
      const largest = this.#largest.get(family.name);
      return largest === undefined ? family : { ...family, largest };
    });
    return [...families, ...this.#histograms.map((histogram) => histogram.read())];
  }

  /** The page in Prometheus' text format. */
  async text(): Promise<string> {
    return merged([await this.read()]).metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}

/** Several processes' numbers as one page: counters and distributions added up, gauges as each one says. */
export function mergedText(readings: readonly MetricsReading[]): Promise<string> {
  return merged(readings).metrics();
}

/** Without the gauges that are one process's view of what all see: who begins or ends sees it wrong. */
export function addedUpIn(reading: MetricsReading): MetricsReading {
  return reading.filter(({ aggregator }) => aggregator === 'sum');
}

/** What has been counted for ever, by one process or several: without the gauges, which end with their process. */
export async function countedIn(readings: readonly MetricsReading[]): Promise<MetricsReading> {
  const families = await familiesOf(merged(readings));
  return families.filter(({ type }) => type !== 'gauge');
}

function merged(readings: readonly MetricsReading[]): Registry {
  return AggregatorRegistry.aggregate(onlyLargest(readings).map((reading) => [...reading]));
}

/** Leaves of the rows that are not to be added up the largest one, so that adding changes nothing. */
function onlyLargest(readings: readonly MetricsReading[]): readonly MetricsReading[] {
  const largest = new Map<string, number>();
  const nameOf = ({ name }: FamilyReading, labels: object): string => JSON.stringify([name, labels]);
  const isChosen = (family: FamilyReading, labels: object): boolean =>
    family.largest?.includes(String(Object.values(labels)[0])) === true;
  for (const family of readings.flat()) {
    for (const { labels, value } of family.values) {
      const name = nameOf(family, labels);
      if (isChosen(family, labels)) largest.set(name, Math.max(largest.get(name) ?? value, value));
    }
  }
  return readings.map((reading) =>
    reading.map((family) => {
      if (family.largest === undefined) return family;
      const values = family.values.filter(({ labels, value }) => {
        if (!isChosen(family, labels)) return true;
        const name = nameOf(family, labels);
        return largest.get(name) === value && largest.delete(name);
      });
      return { ...family, values };
    }),
  );
}

/** The library's types call the words of a family numbers, and leave the names of a histogram's lines out. */
async function familiesOf(registry: Registry): Promise<FamilyReading[]> {
  const families: unknown = await registry.getMetricsAsJSON();
  return families as FamilyReading[];
}

/** The process's own numbers: processor time, memory, event loop, version. Once in each process. */
export function countProcess(metrics: Metrics, version: string): void {
  metrics.gauge(
    { name: 'build_info', help: 'The version that runs.', labels: ['version', 'node'], merge: 'max' },
    () => [[[version, process.versions.node], 1]],
  );
  metrics.countRead({ name: 'process_cpu_seconds_total', help: 'Processor time used.' }, () => {
    const used = process.cpuUsage();
    return (used.user + used.system) / 1e6;
  });
  metrics.gauge({ name: 'process_resident_memory_bytes', help: 'Resident memory.' }, () => process.memoryUsage.rss());
  metrics.gauge({ name: 'process_start_time_seconds', help: 'Start of the process since 1970.', merge: 'min' }, () =>
    Math.round(Date.now() / 1000 - process.uptime()),
  );
  let last = performance.eventLoopUtilization();
  metrics.gauge(
    {
      name: 'event_loop_utilization_ratio',
      help: 'Share of time the event loop was busy since the last reading; the busiest of several workers.',
      merge: 'max',
    },
    () => {
      const now = performance.eventLoopUtilization();
      const share = performance.eventLoopUtilization(now, last).utilization;
      last = now;
      return share;
    },
  );
}

interface Child {
  readonly values: readonly string[];
  readonly count: Count;
}

class Children implements CountFamily {
  readonly #labels: number;
  readonly #children = new Map<string, Child>();

  constructor(labels: number) {
    this.#labels = labels;
    // A counter without labels is shown from the start, as 0.
    if (labels === 0) this.child();
  }

  child(...values: readonly string[]): Count {
    const key = values.join('\0');
    const known = this.#children.get(key);
    if (known !== undefined) return known.count;
    if (values.length !== this.#labels) throw new TypeError(`expected ${this.#labels} label values`);
    const other = values.map(() => 'other');
    if (this.#children.size >= childrenMax && key !== other.join('\0')) return this.child(...other);
    const child = { values, count: { value: 0 } };
    this.#children.set(key, child);
    return child.count;
  }

  all(): Iterable<Child> {
    return this.#children.values();
  }
}

function labelled(labels: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(labels.map((label, index) => [label, values[index] ?? '']));
}

/**
 * A histogram that is counted and shown here: the library's own hashes its labels at each observation, and its
 * buckets can't be filled from outside.
 */
class FixedHistogram implements DurationHistogram {
  readonly #name: string;
  readonly #help: string;
  readonly #counts = new Float64Array(durationBucketsSeconds.length + 1);
  #sum = 0;

  constructor(name: string, help: string) {
    this.#name = name;
    this.#help = help;
  }

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < durationBucketsSeconds.length && seconds > durationBucketsSeconds[bucket]!) bucket++;
    this.#counts[bucket] = this.#counts[bucket]! + 1;
    this.#sum += seconds;
  }

  /** Buckets are cumulative and end with +Inf, which equals the count. */
  read(): FamilyReading {
    const name = this.#name;
    const values: { metricName: string; labels: Record<string, string>; value: number }[] = [];
    let cumulative = 0;
    this.#counts.forEach((count, index) => {
      cumulative += count;
      const le = String(durationBucketsSeconds[index] ?? '+Inf');
      values.push({ metricName: `${name}_bucket`, labels: { le }, value: cumulative });
    });
    values.push({ metricName: `${name}_sum`, labels: {}, value: this.#sum });
    values.push({ metricName: `${name}_count`, labels: {}, value: cumulative });
    return { name, help: this.#help, type: 'histogram', aggregator: 'sum', values };
  }
}
