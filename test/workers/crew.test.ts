/** What a parent makes of its workers: real processes that follow a script, and a clock that is moved by hand. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';

import { WorkerProcess } from '../../src/workers/worker-process.ts';
import { crewUnderTest } from '../support/crew-under-test.ts';
import { ManualClock } from '../support/manual-clock.ts';
import type { WorkerScript } from '../support/scripted-worker.ts';
import { until } from '../support/until.ts';

function worker(t: TestContext, config: WorkerScript): { worker: WorkerProcess; clock: ManualClock } {
  const clock = new ManualClock();
  const made = new WorkerProcess({ start: { number: 1, config, level: 'info' }, descriptors: [], clock });
  t.after(() => made.kill());
  return { worker: made, clock };
}

/** Holds this process up, as a busy machine does, until the worker is dead and waits to be looked after. */
function blindUntilDead({ pid }: WorkerProcess): void {
  const endMs = performance.now() + 30_000;
  while (performance.now() < endMs) {
    if (/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return;
  }
  throw new Error('it has not ended');
}

test("a worker's last words are heard before its end, however late its parent looks", async (t) => {
  const { worker: serving } = worker(t, { does: 'serve' });
  assert.deepEqual(await serving.started, { kind: 'serving' });
  serving.tell({ kind: 'stop', manner: 'drain' });
  blindUntilDead(serving);
  assert.equal(await serving.ended, 'exit code 0');
  assert.equal(serving.reading?.[0]?.values[0]?.value, 2, 'all that it had counted');

  const { worker: failing } = worker(t, { does: 'fail' });
  blindUntilDead(failing);
  const { kind, exitCode, why } = { exitCode: 0, why: '', ...(await failing.started) };
  assert.deepEqual({ kind, exitCode, why }, { kind: 'failed', exitCode: 1, why: 'as written' });
});

test('a signal to the whole group of a parent, as a terminal sends it, is none to a worker that has just been started', (t) => {
  const { worker: starting } = worker(t, { does: 'serve' });
  // "pid (comm) state ppid pgrp ..." (proc_pid_stat(5)).
  const [, , group] = readFileSync(`/proc/${starting.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  assert.equal(Number(group), starting.pid);
});

test('a worker that answers nothing for ten looks is killed; one that only answers late is not', async (t) => {
  const late = crewUnderTest(t);
  assert.deepEqual(await late.crew.start(late.plan({ does: 'late' })), { kind: 'serving' });
  const [slow] = late.crew.all as [WorkerProcess];
  for (let count = 0; count < 30; count++) {
    const before = slow.heardCount;
    late.clock.advance(1000);
    if (count > 0) await until('an answer came, too late', () => slow.heardCount > before);
  }
  assert.deepEqual([slow.hasEnded, late.ends], [false, []]);
  await Promise.all([late.crew.stop(), slow.ended]);

  const silent = crewUnderTest(t);
  await silent.crew.start(silent.plan({ does: 'silent' }));
  const [hung] = silent.crew.all as [WorkerProcess];
  // Each look asks, and the next one finds no answer.
  for (let count = 0; count < 12; count++) {
    silent.clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(await hung.ended, 'SIGKILL');
  await until('it is counted', () => silent.ends.length === 1);
  assert.deepEqual(silent.ends, ['died']);
  await silent.crew.stop();
});

test('a worker that is killed while it ends has died; a reload after the end began starts nothing', async (t) => {
  const { crew, plan, ends } = crewUnderTest(t);
  await crew.start(plan({ does: 'serve' }));
  const [first] = crew.all as [WorkerProcess];
  assert.deepEqual(await crew.replace(plan({ does: 'serve' })), { kind: 'serving' });
  await first.ended;
  const [second] = crew.all as [WorkerProcess];
  process.kill(second.pid!, 'SIGSTOP');
  const stopped = crew.stop();
  second.kill();
  await stopped;
  await until('both are counted', () => ends.length === 2);
  assert.deepEqual(ends, ['in-order', 'died']);
  const result = await crew.replace(plan({ does: 'serve' }));
  assert.deepEqual([result.kind, crew.all.length], ['failed', 0]);
});

test('a configuration is taken over by all that run and by those that come later; one that answers nothing has it not', async (t) => {
  const { crew, plan, clock } = crewUnderTest(t);
  await crew.start(plan({ does: 'serve' }));
  const [first] = crew.all as [WorkerProcess];
  assert.ok(await crew.take(plan({ does: 'serve', podState: 'draining' })));
  await first.askState();
  assert.equal(first.state?.pods[0]?.state, 'draining');
  first.kill();
  await first.ended;
  await until('another is started', () => {
    // No further: the start of one has its bound too.
    if (crew.all.length === 0) clock.advance(100);
    return crew.serving.length === 1;
  });
  const [second] = crew.serving as [WorkerProcess];
  assert.notEqual(second.pid, first.pid);
  await second.askState();
  assert.equal(second.state?.pods[0]?.state, 'draining');
  await crew.stop();

  const silent = crewUnderTest(t);
  await silent.crew.start(silent.plan({ does: 'silent' }));
  const taken = silent.crew.take(silent.plan({ does: 'serve' }));
  silent.clock.advance(10_000);
  assert.equal(await taken, false);
  silent.crew.all.forEach((worker) => worker.kill());
});
