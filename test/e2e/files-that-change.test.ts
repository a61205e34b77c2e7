/**
 * Keys come as files, as a mounted Secret brings them, and are exchanged under running processes while users count:
 * append, move first, drop (docs/operations.md). Nobody is restarted, nobody gets a signal.
 */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { applications } from '../support/applications.ts';
import type { Application } from '../support/applications.ts';
import { describeVerdict } from '../support/checker-verdict.ts';
import { deploy } from '../support/deployment.ts';
import { SessionChecker } from '../support/session-checker.ts';
import { until } from '../support/until.ts';

const kinds = ['store', 'pin', 'application'] as const;
type Which = 'old' | 'new';

const keyOf = (kind: string, which: Which): string => `the ${which} ${kind} key of this rotation`;
/** The secrets of a step: two slots of each kind, the first signs and seals. */
const slots = (first: Which, second: Which): Readonly<Record<string, string>> =>
  Object.fromEntries(kinds.flatMap((kind) => [[`${kind}-1`, keyOf(kind, first)], [`${kind}-2`, keyOf(kind, second)]])); // prettier-ignore

test('all kinds of keys rotate through changed files, without a restart, a lost session or a failed request', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-secret-'));
  t.after(() => rmSync(folder, { recursive: true }));
  let generation = 0;
  /** As the kubelet: a new directory, and one rename that makes it the one that counts. */
  function swap(files: Readonly<Record<string, string>>): void {
    const name = `..generation_${generation++}`;
    mkdirSync(join(folder, name));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, name, file), text);
    symlinkSync(name, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  }
  swap(slots('old', 'old'));
  for (const file of Object.keys(slots('old', 'old'))) symlinkSync(`..data/${file}`, join(folder, file));
  const lists = (kind: string): readonly string[] => [`file:${folder}/${kind}-1`, `file:${folder}/${kind}-2`];

  // Its own first step is behind it.
  let applicationKeys: readonly Which[] = ['old', 'new'];
  const application: Application = {
    ...applications.express,
    command(replica) {
      const { command, env } = applications.express.command(replica);
      const [first = 'old', former] = applicationKeys;
      const more = former === undefined ? {} : { SESSION_SECRET_FORMER: keyOf('application', former) };
      return { command, env: { ...env, SESSION_SECRET: keyOf('application', first), ...more } };
    },
  };
  const common = {
    store: { key: lists('store'), nameKey: keyOf('store', 'old') },
    session: { keys: lists('application') },
  };
  let output = '';
  const deployment = await deploy(t, {
    application,
    pods: 2,
    gateways: 2,
    sidecar: common,
    gateway: { ...common, affinity: { pinKey: lists('pin') } },
    tap: (_process, text) => (output += text),
  });
  const { pods, gateways } = deployment;
  const parts = [...gateways, ...pods.map(({ sidecar }) => sidecar)];
  const pids = parts.map(({ process }) => process.pid);
  const origins = gateways.map(({ origin }) => origin);
  const checker = new SessionChecker({ origins, users: 4, application: application.traits, seed: 31, thinkMs: 50 });
  checker.start();
  const answered = async (): Promise<void> => {
    const { answers } = checker;
    await until('users are answered', () => checker.answers > answers + 20, { deadlineMs: 60_000 });
  };
  /** All processes have taken so many changes up, and users went on with what they know now. */
  const takenUp = async (count: number): Promise<void> => {
    for (const part of parts)
      await until(`change ${count} is taken up`, async () => {
        const [, applied] =
          /^holdfast_reloads_total\{result="applied"\} (\d+)$/m.exec((await part.probe('/metrics')).text) ?? [];
        return Number(applied) >= count;
      });
    await answered();
  };

  await answered();
  swap(slots('old', 'new'));
  await takenUp(1);
  swap(slots('new', 'old'));
  await takenUp(2);
  assert.deepEqual(checker.failed, [], 'no request fails by a reload');
  // The application follows, one after the other, as in its own rollout.
  applicationKeys = ['new', 'old'];
  for (const pod of pods) {
    await pod.applicationProcess.kill('SIGTERM');
    await pod.startApplication();
    await until('its sidecar is ready again', () => pod.sidecar.isReady());
    await answered();
  }
  // Every session has been used since: the old keys are dropped, by a rename here and in place there.
  const failed = checker.failed.length;
  for (const kind of kinds) {
    const file = join(folder, `${kind}-2`);
    if (kind === 'pin') rmSync(file);
    const written = kind === 'store' ? `${file}.new` : file;
    writeFileSync(written, keyOf(kind, 'new'));
    if (kind === 'store') renameSync(written, file);
  }
  await takenUp(3);
  assert.equal(checker.failed.length, failed, 'no request fails by a reload');

  // A pod leaves the list and comes back: its sessions are taken over meanwhile.
  for (const listed of [pods.slice(0, 1), pods]) {
    for (const gateway of gateways) {
      await gateway.write({ pods: { static: listed.map(({ name, address }) => `${name}=${address}`) } });
      await until(`${listed.length} pods are ready`, async () =>
        new RegExp(`^holdfast_pods\\{[^}]*state="ready"[^}]*\\} ${listed.length}$`, 'm').test(
          (await gateway.probe('/metrics')).text,
        ),
      );
    }
    await answered();
  }
  assert.equal(checker.failed.length, failed, 'no request fails by a list');

  // A process that knows only the new key meets the mark that the others have renewed.
  await gateways[0]!.process.kill('SIGTERM');
  await gateways[0]!.start();
  await answered();
  const verdict = await checker.stop();
  t.diagnostic(describeVerdict(verdict));
  assert.deepEqual(verdict.violations, [], describeVerdict(verdict));
  assert.doesNotMatch(output, /the keys of|are not those|another store\.key|did not open|was not reloaded/);
  assert.deepEqual(
    parts.slice(1).map(({ process }) => process.pid),
    pids.slice(1),
    'nobody was restarted',
  );
});
