/** When a reload is tried again, and what is told of it: a clock that is moved by hand, and files that come too late. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { Reloader } from '../../src/commands/reload.ts';
import { type Loaded, loadConfig, type LoadedConfig } from '../../src/config/load.ts';
import { gateway, load } from '../config/config-case.ts';
import { Authority } from '../support/certificates.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

interface Reloading {
  readonly reloader: Reloader;
  readonly clock: ManualClock;
  /** Calls of apply. */
  readonly applied: LoadedConfig[];
  /** Why the next calls of apply are refused; undefined: they are not. */
  refusal: string | undefined;
  /** The messages of the log that tell of a refusal. */
  readonly refusals: () => string[][];
  readonly metric: (line: string) => Promise<number>;
}

function reloading(t: TestContext, read: () => Loaded = () => load({ yaml: gateway })): Reloading {
  const clock = new ManualClock();
  const lines: string[] = [];
  const log = createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } });
  const metrics = new Metrics();
  const made: Omit<Reloading, 'reloader'> = {
    clock,
    applied: [],
    refusal: undefined,
    refusals: () =>
      lines
        .map((line) => JSON.parse(line) as { msg: string; problems: string[] })
        .filter(({ msg }) => msg.includes('was not reloaded'))
        .map(({ problems }) => problems),
    async metric(line) {
      const [, value] = new RegExp(`^holdfast_${line} (\\d+)$`, 'm').exec(await metrics.text()) ?? [];
      return Number(value);
    },
  };
  const reloader = new Reloader({
    load: read,
    apply(loaded) {
      all.applied.push(loaded);
      return all.refusal === undefined ? Promise.resolve([]) : Promise.reject(new Error(all.refusal));
    },
    log,
    metrics,
    clock,
    random: () => 0,
  });
  t.after(() => reloader.stop());
  const all: Reloading = Object.assign(made, { reloader });
  return all;
}

/** Lets so much time go on, and what falls due then be done. */
async function passes({ clock, reloader, applied }: Reloading, ms: number): Promise<void> {
  const before = applied.length;
  clock.advance(ms);
  await until('it was tried', () => applied.length > before && (reloader.last().againAt === null || clock.pending > 0));
}

test('a refused reload is tried again until what it met has passed, twice as long after each; the same is told once', async (t) => {
  const reload = reloading(t);
  reload.refusal = 'a worker could not be started';
  assert.equal((await reload.reloader.now()).result, 'refused');
  assert.equal(reload.reloader.last().againAt, new Date(reload.clock.nowMs() + 1000).toISOString());
  for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
    const before = reload.applied.length;
    reload.clock.advance(seconds * 1000 - 1);
    assert.equal(reload.applied.length, before, `not before ${seconds} s have passed`);
    await passes(reload, 1);
  }
  assert.deepEqual(reload.refusals(), [['a worker could not be started']]);
  reload.refusal = 'another reason';
  await passes(reload, 60_000);
  assert.deepEqual(reload.refusals(), [['a worker could not be started'], ['another reason']]);
  reload.refusal = undefined;
  await passes(reload, 60_000);
  assert.deepEqual(
    { ...reload.reloader.last(), at: undefined },
    { result: 'applied', at: undefined, problems: [], needRestart: [], againAt: null },
  );
  assert.equal(reload.clock.pending, 0, 'nothing is tried any more');
  assert.equal(await reload.metric('reloads_total\\{result="refused"\\}'), 1);
  assert.equal(await reload.metric('reloads_total\\{result="applied"\\}'), 1);
  assert.equal(await reload.metric('reload_retries_total'), 10);
  assert.equal(await reload.metric('reload_refused'), 0);
});

test('whoever asks begins anew: it is told again, and tried again soon; after the end nothing is', async (t) => {
  const reload = reloading(t);
  reload.refusal = 'not yet';
  await reload.reloader.now();
  await passes(reload, 1000);
  await passes(reload, 2000);
  await reload.reloader.now();
  assert.equal(reload.refusals().length, 2);
  assert.equal(reload.clock.pending, 1, 'the try of before is not made too');
  await passes(reload, 1000);
  reload.reloader.stop();
  assert.equal(reload.clock.pending, 0);
});

test('a certificate whose key comes later than the configuration that names it is taken up, though nobody watches it', async (t) => {
  const authority = await Authority.create('reloader');
  t.after(() => authority.remove());
  const [old, next] = [await authority.issue('old.test'), await authority.issue('shop.test')];
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-reload-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [certificate, key, configFile] = ['tls.crt', 'tls.key', 'config.yaml'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(certificate, next.certificate);
  writeFileSync(key, old.key);
  const listen = [{ address: '127.0.0.1:8443', tls: { certificate: `file:${certificate}`, key: `file:${key}` } }];
  const rest = { session: { preset: 'php' }, pods: { static: ['a=10.0.0.1:80'] }, affinity: { pin: 'table' } };
  writeFileSync(configFile, JSON.stringify({ listen, ...rest }));
  const reload = reloading(t, () => loadConfig({ configFile, environment: {} }));
  const refused = await reload.reloader.now();
  assert.equal(refused.result, 'refused');
  assert.match(refused.problems.join(), /^listen\.tls: /);
  writeFileSync(key, next.key);
  await passes(reload, 1000);
  assert.equal(reload.reloader.last().result, 'applied');
  assert.equal(reload.refusals().length, 1);
});
