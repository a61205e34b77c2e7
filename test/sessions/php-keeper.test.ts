/**
 * The keeper around PHP's own session files: directory levels, lazy writes, and the clean-up, which judges a session by
 * its file's time. PHP runs on the command line, as the request of an exchange or as a job beside them.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import type { SessionId } from '../../src/affinity/session-codec.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { findProgram } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { type Pod, Pods } from './keeper-pods.ts';
import { phpId } from './session-sandbox.ts';

const count = '$_SESSION["n"] = ($_SESSION["n"] ?? 0) + 1;';
const otherId = 'c5i2c5d4hcqnavs6jhn01t7uuj' as SessionId;

/** One run of PHP with this session: `code`, then what `n` is. */
function php(pod: Pod, code: string, settings: Readonly<Record<string, string>> = {}, id: SessionId = phpId): number {
  const all = { 'session.save_path': pod.directory.path, 'session.use_cookies': '0', 'session.cache_limiter': '' };
  const options = Object.entries({ ...all, ...settings }).flatMap(([name, value]) => ['-d', `${name}="${value}"`]);
  const script = `session_id('${id}'); session_start(); ${code} echo $_SESSION["n"] ?? 0;`;
  return Number(execFileSync(findProgram('php'), [...options, '-r', script], { encoding: 'utf8' }));
}

async function created(pod: Pod, settings: Readonly<Record<string, string>> = {}): Promise<void> {
  const stay = pod.keeper.visit();
  assert.equal(php(pod, count, settings), 1);
  stay.answered({ kind: 'set', session: phpId, attributes: '', lifetimeSeconds: undefined });
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
}

/** One exchange in which PHP runs. */
async function served(
  pod: Pod,
  code: string,
  { settings = {}, moved = false }: { settings?: Readonly<Record<string, string>>; moved?: boolean } = {},
): Promise<number> {
  const stay = await pod.enter(phpId, moved ? { move: 'gone' } : {});
  const number = php(pod, code, settings);
  assert.deepEqual(await stay.settle(), { kind: 'leave' });
  return number;
}

test("PHP's directory levels: found by scans, made where a session is restored, with PHP's mode", async (t) => {
  const pods = new Pods(t);
  const options = { preset: 'php', levels: '2;0600;', scanPauseMs: 50 } as const;
  const p = await pods.add('p', options);
  const q = await pods.add('q', options);
  const inLevels = (pod: Pod): Record<string, string> => ({ 'session.save_path': `2;0600;${pod.directory.path}` });
  const fileOf = (pod: Pod): string => join(pod.directory.path, phpId[0]!, phpId[1]!, `sess_${phpId}`);
  mkdirSync(join(p.directory.path, phpId[0]!, phpId[1]!), { recursive: true });
  await created(p, inLevels(p));
  p.keeper.watch();
  assert.equal(php(p, count, inLevels(p)), 2, 'a job');
  await until('the scan has stored it', () => p.keeper.counters.rescanFinds === 1);
  p.kill();
  assert.equal(await served(q, count, { settings: inLevels(q), moved: true }), 3);
  assert.equal(statSync(fileOf(q)).mode & 0o777, 0o600);
  q.keeper.watch();
  execFileSync('rm', [fileOf(q)]);
  await until('its deletion is a logout', async () => (await pods.ownerOf(phpId)) === 'tombstone');
});

const cleansUp = { 'session.gc_probability': '1', 'session.gc_divisor': '1', 'session.gc_maxlifetime': '7200' };

for (const [words, ageSeconds] of [
  ['in the middle of its life', 3600],
  ['near its end', 7000],
] as const) {
  test(`a session that is restored ${words} survives PHP's clean-up at its new pod`, async (t) => {
    const pods = new Pods(t);
    const p = await pods.add('p', { preset: 'php' });
    const q = await pods.add('q', { preset: 'php' });
    await created(p);
    const stay = await p.enter(phpId);
    php(p, count);
    p.touch(phpId, Date.now() / 1000 - ageSeconds);
    assert.deepEqual(await stay.settle(), { kind: 'leave' });
    p.kill();
    const restoring = await q.enter(phpId, { move: 'gone' });
    const age = Date.now() / 1000 - statSync(q.path(phpId)).mtimeMs / 1000;
    assert.ok(ageSeconds === 7000 ? age < 100 : age > 3500, `${age} s`);
    assert.equal(php(q, count, cleansUp), 3);
    assert.deepEqual(await restoring.settle(), { kind: 'leave' });
  });
}

test('lazy writes: a session that is only read moves to another pod as young as it is', async (t) => {
  const clock = new ManualClock();
  const pods = new Pods(t, { clock });
  const p = await pods.add('p', { preset: 'php' });
  const q = await pods.add('q', { preset: 'php' });
  await created(p);
  const stay = await p.enter(phpId);
  php(p, count);
  const hourAgo = Date.now() / 1000 - 3600;
  p.touch(phpId, hourAgo);
  await stay.settle();
  clock.advance(720_000);
  const { puts } = p.keeper.counters;
  assert.equal(await served(p, '', { settings: { 'session.lazy_write': '1' } }), 2);
  assert.equal(p.keeper.counters.puts, puts + 1, 'only its time has changed, and its renewal is due');
  p.kill();
  const moved = await q.enter(phpId, { move: 'gone' });
  assert.ok(statSync(q.path(phpId)).mtimeMs / 1000 > hourAgo + 3000);
  assert.equal(php(q, '', { ...cleansUp, 'session.gc_maxlifetime': '1440' }), 2);
  await moved.settle();
});

test("what PHP's clean-up removes at its owner is ended, and no other pod brings it back", async (t) => {
  const pods = new Pods(t);
  const p = await pods.add('p', { preset: 'php' });
  const q = await pods.add('q', { preset: 'php' });
  await created(p);
  p.keeper.watch();
  const old = Date.now() / 1000 - 8000;
  utimesSync(p.path(phpId), old, old);
  php(p, 'session_gc();', { 'session.gc_maxlifetime': '7200' }, otherId);
  assert.equal(existsSync(p.path(phpId)), false, 'PHP has removed it');
  await until('it is ended', async () => (await pods.ownerOf(phpId)) === 'tombstone');
  assert.equal(await pods.ownerOf(otherId), 'none', 'a job makes no record of a session of its own');
  p.kill();
  assert.equal(await served(q, count, { moved: true }), 1);
});
