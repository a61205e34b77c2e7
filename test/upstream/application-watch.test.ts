import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';

import { type ApplicationState, ApplicationWatch } from '../../src/upstream/application-watch.ts';
import { freePort } from '../support/free-port.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

test('an application that comes, goes and comes back is noticed within a second, each change once', async (t) => {
  const clock = new ManualClock();
  const heard: (ApplicationState | undefined)[][] = [];
  const address = { host: '127.0.0.1', port: await freePort() };
  const watch = new ApplicationWatch({ application: address, clock, onChange: (...change) => heard.push(change) });
  t.after(() => watch.stop());
  assert.equal(watch.accepts, false, 'before it was asked');
  await watch.start();
  assert.deepEqual([watch.accepts, heard], [false, [['refuses', undefined]]]);

  let server = createServer().listen(address.port, address.host);
  t.after(() => server.close());
  await until('it accepts', () => (clock.advance(1000), watch.accepts));
  await new Promise((resolve) => server.close(resolve));
  await until('it refuses', () => (clock.advance(1000), !watch.accepts));
  server = createServer().listen(address.port, address.host);
  await until('it accepts again', () => (clock.advance(1000), watch.accepts));
  assert.deepEqual(heard, [
    ['refuses', undefined],
    ['accepts', 'refuses'],
    ['refuses', 'accepts'],
    ['accepts', 'refuses'],
  ]);
});

test('one question at a time, and none after the end', async (t) => {
  const clock = new ManualClock();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on('error', () => undefined).destroy();
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  t.after(() => server.close());
  const application = { host: '127.0.0.1', port };
  const watch = new ApplicationWatch({ application, clock, onChange: () => undefined });
  await watch.start();
  await until('the first question', () => connections === 1);
  assert.equal(clock.pending, 1);
  clock.advance(10_000);
  assert.equal(clock.pending, 0, 'the next one is set when this one is answered');
  await until('the second question', () => clock.pending === 1);
  watch.stop();
  assert.equal(clock.pending, 0);
});

test('who was refused has it asked at once, and not again while it is asked or known', async (t) => {
  const clock = new ManualClock();
  const heard: ApplicationState[] = [];
  const application = { host: '127.0.0.1', port: await freePort() };
  const server = createServer((socket) => socket.on('error', () => undefined).destroy());
  await new Promise<void>((resolve) => server.listen(application.port, application.host, resolve));
  const watch = new ApplicationWatch({ application, clock, onChange: (state) => heard.push(state) });
  t.after(() => watch.stop());
  await watch.start();
  await new Promise((resolve) => server.close(resolve));
  for (let refusal = 0; refusal < 5; refusal++) watch.doubted();
  await until('it is known, without a second to wait for', () => !watch.accepts);
  assert.equal(clock.pending, 1, 'one next question');
  watch.doubted();
  assert.deepEqual([clock.pending, heard], [1, ['accepts', 'refuses']]);
});
