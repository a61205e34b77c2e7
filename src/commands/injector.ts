/**
 * `holdfast injector`: the admission webhook that gives pods their sidecars, from its flags to its graceful end.
 *
 * Must not know what is injected (injector/inject-pod.ts) or how reviews look (injector/webhook.ts).
 */

import { createAdmin } from '../admin/admin-server.ts';
import type { Condition, Window } from '../admin/window.ts';
import { type Address, formatAddress, parseAddress } from '../base/address.ts';
import { systemClock } from '../base/clock.ts';
import { Lifecycle, onSignals, surviveFaults } from '../base/lifecycle.ts';
import { createLog, type Log, type LogLevel, logLevels } from '../base/log.ts';
import { countProcess, Metrics } from '../base/metrics.ts';
import type { Settings } from '../injector/annotations.ts';
import { lifetimeMinMs } from '../injector/certificate-rotation.ts';
import { FileCertificate } from '../injector/file-certificate.ts';
import { OwnCertificate } from '../injector/own-certificate.ts';
import { ReviewServer } from '../injector/review-server.ts';
import { ServiceLookup } from '../injector/service-lookup.ts';
import { SkipEvents } from '../injector/skip-events.ts';
import { Webhook } from '../injector/webhook.ts';
import { ApiServer } from '../kubernetes/api-server.ts';
import { readApiAccess } from '../kubernetes/read-access.ts';
import { startFailed } from './process-end.ts';
import { judgeSidecar, readDefaults } from './sidecar-defaults.ts';
import { readVersion } from './version.ts';

/** As the command line gives it. */
export interface InjectorFlags {
  readonly listen: string;
  readonly probes: string;
  readonly image?: string;
  readonly default?: readonly string[];
  /** Both or none: with files of somebody else's the injector keeps no certificate of its own. */
  readonly certificate?: string;
  readonly key?: string;
  readonly secret: string;
  readonly service: string;
  readonly webhook: string;
  readonly certificateDays: number;
  readonly logLevel: string;
}

interface InjectorSettings {
  readonly listen: Address;
  readonly probes: Address;
  readonly defaults: Settings;
  readonly files: { readonly certificate: string; readonly key: string } | undefined;
  readonly logLevel: LogLevel;
  readonly flags: InjectorFlags;
}

const dayMs = 86_400_000;
const closeBoundMs = 6_000;

/** Exit code 0: stopped as asked. 1: bad arguments. 2: failed while running. */
export async function injector(flags: InjectorFlags): Promise<number> {
  const settings = readFlags(flags);
  if (settings === undefined) return 1;
  const log = createLog({ level: settings.logLevel });
  const metrics = new Metrics();
  const faults = metrics.counter({ name: 'uncaught_faults_total', help: 'Faults that nobody caught.' }).child();
  countProcess(metrics, readVersion());
  const forgetFaults = surviveFaults(log, faults);
  const stopped = Promise.withResolvers<number>();
  const forgetSignals = onSignals({
    onStop(signal) {
      log.info({ signal }, 'stopping');
      stopped.resolve(0);
    },
  });
  const lifecycle = new Lifecycle({ log, clock: systemClock });
  try {
    await start(settings, { log, metrics, lifecycle });
    return await stopped.promise;
  } catch (error) {
    return startFailed(error, log);
  } finally {
    await lifecycle.stop();
    forgetSignals();
    forgetFaults();
    log.flush();
  }
}

interface Parts {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly lifecycle: Lifecycle;
}

/** What is started here is stopped in reverse. */
async function start(settings: InjectorSettings, { log, metrics, lifecycle }: Parts): Promise<void> {
  const { namespace } = await readApiAccess(process.env);
  const api = new ApiServer(process.env);
  lifecycle.add({ name: 'api server', boundMs: closeBoundMs, stop: () => api.close() });
  const parts = { api, log, clock: systemClock };
  const services = new ServiceLookup(parts);
  const events = new SkipEvents(parts);
  const webhook = new Webhook({
    log,
    metrics,
    defaults: settings.defaults,
    judge: judgeSidecar,
    servicesOf: (namespace) => services.of(namespace),
    tellSkipped: (skipped) => events.tell(skipped),
  });
  const server = new ReviewServer({
    listen: settings.listen,
    log,
    handlers: {
      '/pods': (request) => webhook.pod(request),
      '/workloads': (request) => webhook.workload(request),
    },
  });
  metrics.gauge(
    { name: 'injector_certificate_expiry_timestamp_seconds', help: 'When the certificate that is shown ends.' },
    () => server.expiresMs / 1000,
  );
  const certificate = openCertificate(settings, { ...parts, namespace, serve: (pair) => server.show(pair) });
  const window = injectorWindow(() => certificate.missing);
  const { probes } = settings;
  const admin = await createAdmin({ listen: { kind: 'tcp', address: probes }, full: false, window, metrics, log });
  lifecycle.add({ name: 'probes', boundMs: closeBoundMs, stop: () => admin.close() });
  webhook.warmUp();
  const address = await server.listen();
  lifecycle.add({ name: 'reviews', boundMs: closeBoundMs, stop: () => server.close() });
  lifecycle.add({ name: 'certificate', boundMs: closeBoundMs, stop: () => certificate.stop() });
  certificate.start();
  log.info({ address: formatAddress(address), probes: admin.place }, 'injector listens');
}

type CertificateParts = Pick<Parts, 'log'> & {
  readonly api: ApiServer;
  readonly namespace: string;
  readonly clock: typeof systemClock;
  readonly serve: (pair: { readonly certificate: string; readonly key: string }) => void;
};

function openCertificate(
  { files, flags }: InjectorSettings,
  parts: CertificateParts,
): OwnCertificate | FileCertificate {
  if (files !== undefined) return new FileCertificate({ ...parts, ...files });
  const { secret, service, webhook, certificateDays } = flags;
  return new OwnCertificate({ ...parts, secret, service, webhook, lifetimeMs: certificateDays * dayMs });
}

/** Only its probes are shown. */
function injectorWindow(missing: () => string | undefined): Window {
  const ready = (): Condition => {
    const why = missing();
    return { ok: why === undefined, reason: why ?? 'the certificate is shown' };
  };
  return {
    title: 'injector',
    // An API server that is away is no reason to be started again.
    started: () => ({ ok: true, reason: 'listening' }),
    ready,
    pods: () => [],
    session: () => Promise.resolve(undefined),
    drain: () => Promise.resolve(),
    figures: () => [],
  };
}

/** All that is wrong is told at once. */
function readFlags(flags: InjectorFlags): InjectorSettings | undefined {
  const problems: string[] = [];
  const address = (name: 'listen' | 'probes'): Address => {
    const read = parseAddress(flags[name]);
    if (read === undefined) problems.push(`--${name}: "${flags[name]}" is not HOST:PORT`);
    return read ?? { host: '', port: 0 };
  };
  const [listen, probes] = [address('listen'), address('probes')];
  const defaults = readDefaults(flags.default ?? [], flags.image);
  if (defaults.kind === 'problems') problems.push(...defaults.problems);
  if (flags.image === undefined) problems.push('--image is needed: that of the sidecars');
  const { certificate, key, certificateDays } = flags;
  if (certificateDays * dayMs < lifetimeMinMs) {
    problems.push(`--certificate-days: ${certificateDays} is too short: a certificate needs a minute to be exchanged`);
  }
  if ((certificate === undefined) !== (key === undefined)) problems.push('--certificate and --key belong together');
  const logLevel = logLevels.find((level) => level === flags.logLevel);
  if (logLevel === undefined) problems.push(`--log-level: "${flags.logLevel}" is not one of ${logLevels.join(', ')}`);
  for (const name of ['secret', 'service', 'webhook'] as const) {
    if (!/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/.test(flags[name]))
      problems.push(`--${name}: "${flags[name]}" is no name`);
  }
  for (const problem of problems) process.stderr.write(`holdfast injector: ${problem}\n`);
  if (problems.length > 0 || defaults.kind === 'problems' || logLevel === undefined) return undefined;
  const files = certificate === undefined || key === undefined ? undefined : { certificate, key };
  return { listen, probes, defaults: defaults.defaults, files, logLevel, flags };
}
