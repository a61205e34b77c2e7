/**
 * The alerts and the dashboard of manifests/overlays/monitoring: a real Prometheus scrapes a real gateway and sidecar, and
 * every query finds what it asks for; promtool judges each alert by series that should fire it and series that should not.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { request } from 'undici';
import { parse, parseAllDocuments, stringify } from 'yaml';

import { Authority } from '../support/certificates.ts';
import { prepare } from '../support/deployment.ts';
import { freePorts } from '../support/free-port.ts';
import { Processes, repositoryRoot, requireFile } from '../support/processes.ts';
import { ScriptedApiServer } from '../support/scripted-api-server.ts';
import { until } from '../support/until.ts';
import { alertCases } from './alert-cases.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
}

interface Rules {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
}

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

const folder = join(repositoryRoot, 'manifests/overlays/monitoring');
const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
const rules = (parse(read('alerts.yaml')) as { readonly spec: Rules }).spec;
const alerts = rules.groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(read('dashboard.json')) as Dashboard;

test('every alert fires on what it is for and not beside it, as promtool sees it', async (t) => {
  requireFile('/usr/bin/promtool', 'prometheus');
  const place = await temporaryFolder(t);
  assert.deepEqual(Object.keys(alertCases).sort(), alerts.map(({ alert }) => alert).sort());
  await writeFile(join(place, 'rules.yaml'), stringify(rules));
  const tests = Object.entries(alertCases).flatMap(([alertname, { minutes, fires, silent }]) =>
    [fires, silent].map((series) => ({
      name: `${alertname} ${series === fires ? 'fires' : 'is silent'}`,
      interval: '15s',
      input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
      promql_expr_test: [
        {
          expr: `count(ALERTS{alertname="${alertname}", alertstate="firing"}) or vector(0)`,
          eval_time: `${minutes}m`,
          exp_samples: [{ value: series === fires ? 1 : 0 }],
        },
      ],
    })),
  );
  await writeFile(
    join(place, 'test.yaml'),
    stringify({ rule_files: ['rules.yaml'], evaluation_interval: '15s', tests }),
  );
  for (const args of [
    ['check', 'rules', 'rules.yaml'],
    ['test', 'rules', 'test.yaml'],
  ]) {
    const done = await promisify(execFile)('promtool', args, { cwd: place }).catch((error: unknown) => error as Error);
    assert.ok(
      !(done instanceof Error),
      done instanceof Error ? done.message + String((done as { stdout?: string }).stdout) : '',
    );
  }
});

test('every alert is explained in docs/alerts.md, and none that there is not', () => {
  const page = readFileSync(join(repositoryRoot, 'docs/alerts.md'), 'utf8');
  const explained = [...page.matchAll(/^\| `(Holdfast[A-Za-z]+)`/gm)].map(([, name]) => name);
  assert.deepEqual(
    explained,
    alerts.map(({ alert }) => alert),
  );
});

test('every query of the dashboard and every series of the alerts is there in a real Prometheus', async (t) => {
  requireFile('/usr/bin/prometheus', 'prometheus');
  const authority = await Authority.create('monitoring');
  t.after(() => authority.remove());
  const { certificateFile, keyFile } = await authority.issue('shop.test');
  const [plainPort, tlsPort] = (await freePorts(2)) as [number, number];
  const tls = { certificate: `file:${certificateFile}`, key: `file:${keyFile}` };
  const api = await ScriptedApiServer.start(t);
  // The gateway has it from here.
  process.env['KUBECONFIG'] = api.kubeconfig;
  // The preset that finds its cookie out counts that as a notice.
  const deployment = await prepare({
    application: 'laravel',
    pods: 1,
    gateway: {
      listen: [`127.0.0.1:${plainPort}`, { address: `127.0.0.1:${tlsPort}`, tls }],
      pods: { static: undefined, kubernetes: { service: 'app', port: 'http' } },
    },
  });
  t.after(() => deployment.close());
  const [gateway] = deployment.gateways;
  const [pod] = deployment.pods;
  assert.ok(gateway !== undefined && pod !== undefined);
  const endpoint = { name: pod.name, uid: `${pod.name}-uid-1`, address: '127.0.0.1', conditions: {} };
  api.put({ name: 'app-1', endpoints: [endpoint], ports: [{ name: 'http', port: pod.dataPort }] });
  await deployment.start();
  await deployment.gatewaysKnowPods();
  const origin = `http://127.0.0.1:${plainPort}`;
  const targets = { 'holdfast-gateway': gateway.probesAddress, 'holdfast-sidecar': pod.sidecar.probesAddress };
  const ask = await prometheus(t, targets);

  let cookie = '';
  const visit = async (): Promise<number> => {
    const { statusCode, headers, body } = await request(`${origin}/inc`, { headers: cookie === '' ? {} : { cookie } });
    await body.dump();
    if (headers['set-cookie'] !== undefined)
      cookie = [headers['set-cookie']].flat().map((line) => line.split(';', 1)[0]).join('; '); // prettier-ignore
    return statusCode;
  };
  assert.equal(await visit(), 200);
  assert.equal(await visit(), 200);
  await pod.applicationProcess.kill('SIGKILL');
  await until('a request fails', async () => (await visit()) >= 500);
  await pod.startApplication();
  await until('requests are answered again', async () => (await visit()) === 200);

  const queries = dashboard.panels.flatMap(({ title, targets: asked = [] }) =>
    asked.map(({ expr }) => ({
      title,
      expr: expr.replaceAll('$namespace', '.*').replaceAll('$__rate_interval', '30s'),
    })),
  );
  assert.ok(queries.length > 40, `only ${queries.length}`);
  for (const { title, expr } of queries) {
    await until(`${title} shows something: ${expr}`, async () => (await ask(expr)).length > 0);
  }
  for (const { alert, expr } of alerts) {
    for (const [name] of expr.matchAll(/\bholdfast_\w+|\bup\b/g)) {
      await until(`${alert} asks for ${name}`, async () => (await ask(`{__name__="${name}"}`)).length > 0);
    }
    const series = (await Promise.all([...expr.matchAll(/\bholdfast_\w+|\bup\b/g)].map(([name]) => ask(name)))).flat();
    const labels = new Set(series.flatMap(({ metric }) => Object.keys(metric)));
    assert.deepEqual(
      labelsOf(expr).filter((label) => !labels.has(label)),
      [],
      `${alert} knows other labels`,
    );
  }
});

/** The labels that an expression selects or sums by. */
function labelsOf(expr: string): readonly string[] {
  const matched = [...expr.matchAll(/[{,]\s*(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label]) => label!);
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) =>
    list!.split(',').map((one) => one.trim()),
  );
  return [...matched, ...grouped];
}

interface Series {
  readonly metric: Readonly<Record<string, string>>;
}

/** A Prometheus that scrapes as the ServiceMonitor says; asks it a question. */
async function prometheus(
  t: TestContext,
  targets: Readonly<Record<string, string>>,
): Promise<(query: string) => Promise<readonly Series[]>> {
  const scrape = parseAllDocuments(read('scrape.yaml')).map(
    (document) => document.toJS() as Readonly<Record<string, unknown>>,
  );
  const found = scrape.find(({ kind }) => kind === 'ServiceMonitor') as unknown as {
    readonly spec: { readonly endpoints: readonly [{ readonly honorLabels: boolean; readonly path: string }] };
  };
  const [{ honorLabels, path }] = found.spec.endpoints;

  const place = await temporaryFolder(t);
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: Object.entries(targets).map(([job, target]) => ({
      job_name: job,
      honor_labels: honorLabels,
      metrics_path: path,
      static_configs: [{ targets: [target], labels: { namespace: 'shop', pod: `${job}-0` } }],
    })),
  };
  await writeFile(join(place, 'prometheus.yaml'), stringify(config));
  const [port] = (await freePorts(1)) as [number];
  const processes = new Processes();
  t.after(() => processes.close());
  const started = processes.start('prometheus', [
    'prometheus',
    `--config.file=${join(place, 'prometheus.yaml')}`,
    `--storage.tsdb.path=${join(place, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  const ask = async (query: string): Promise<readonly Series[]> => {
    const url = new URL(`http://127.0.0.1:${port}/api/v1/query`);
    url.searchParams.set('query', query);
    const { statusCode, body } = await request(url);
    const answer = (await body.json()) as {
      readonly data: { readonly result: readonly Series[] };
      readonly error?: string;
    };
    if (statusCode !== 200) throw new Error(answer.error);
    return answer.data.result;
  };
  await started.ready('it has scraped both', async () => (await ask('up == 1')).length === 2, { deadlineMs: 90_000 });
  return ask;
}

async function temporaryFolder(t: TestContext): Promise<string> {
  const place = await mkdtemp(join(tmpdir(), 'holdfast-monitoring-'));
  t.after(() => rm(place, { recursive: true, force: true }));
  return place;
}
