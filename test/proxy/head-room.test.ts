import assert from 'node:assert/strict';
import test from 'node:test';
import { beyondLimits, withHeadRoom } from '../../src/proxy/head-room.ts';
import { readRequestHead, type RequestHead } from '../../src/http1/request-head.ts';
import type { ExchangeLine } from '../../src/proxy/proxy-context.ts';
import { usualLimits } from '../support/proxy-under-test.ts';
import { until } from '../support/until.ts';
import { GatewayUnderTest } from './gateway-under-test.ts';
import { session, cookieName, SidecarUnderTest } from './sidecar-under-test.ts';

function headOf(text: string, limits = withHeadRoom(usualLimits)): RequestHead {
  const step = readRequestHead(Buffer.from(text, 'latin1'), 0, limits);
  assert(step.kind === 'head', JSON.stringify(step));
  return step.head;
}

function withFields(count: number): string {
  return `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(count - 1)}\r\n`;
}

function withBytes(count: number): string {
  const empty = 'GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n';
  return empty.replace('X: ', `X: ${'x'.repeat(count - empty.length)}`);
}

test('a head at the limits, with what a gateway adds, is read with the room for it; for anybody else it is beyond them', () => {
  assert.equal(beyondLimits(headOf(withFields(usualLimits.fields)), usualLimits), undefined);
  assert.equal(beyondLimits(headOf(withFields(usualLimits.fields + 1)), usualLimits), 'too-many-fields');
  assert.equal(beyondLimits(headOf(withFields(usualLimits.fields + 8)), usualLimits), 'too-many-fields');
  assert.equal(beyondLimits(headOf(withBytes(usualLimits.headBytes)), usualLimits), undefined);
  assert.equal(beyondLimits(headOf(withBytes(usualLimits.headBytes + 1)), usualLimits), 'head-too-large');
  // Host is nearly all of it, and X-Forwarded-Host says it again.
  assert.equal(beyondLimits(headOf(withBytes(usualLimits.headBytes * 2)), usualLimits), 'head-too-large');
});

test('no limit stays none, and the others go on changing with the ones that were given', () => {
  const given = { ...usualLimits, headBytes: 0, fields: 0 };
  const roomy = withHeadRoom(given);
  assert.deepEqual([roomy.headBytes, roomy.fields], [0, 0]);
  assert.equal(beyondLimits(headOf(withFields(500), roomy), given), undefined);
  Object.assign(given, { bodyBytes: 17, connections: 5 });
  assert.deepEqual([roomy.bodyBytes, roomy.connections], [17, 5]);
});

test('an answer that a sidecar took of its application passes whoever is in front of it: a gateway, or a sidecar and a gateway', async (t) => {
  const [behind, before] = [
    await SidecarUnderTest.start(t, { uid: 'uid-b' }),
    await SidecarUnderTest.start(t, { uid: 'uid-a' }),
  ];
  before.gate.admission = () => ({ kind: 'elsewhere', owner: behind.owner, epoch: 3 });
  const served = (): readonly ExchangeLine[] => behind.under.lines.filter(({ target }) => target === '/');
  let asked = 0;
  const taken: number[] = [];
  for (const first of [behind, before]) {
    const pods = [{ name: 'pod', address: first.under.address }];
    const gateway = await GatewayUnderTest.start(t, { pods });
    // With what Node adds, from within the limits to beyond all room.
    for (let count = usualLimits.fields - 10; count <= usualLimits.fields + 50; count++) {
      const many = Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, 'y']));
      behind.application.answer = () => ({ headers: many, body: 'whole' });
      const { status } = await gateway.ask('/', { cookie: `${cookieName}=${session}` });
      asked++;
      const { reason } = await until('it is told', () => served()[asked - 1]);
      assert.equal(status, reason === undefined ? 200 : 502, `${count} fields: ${reason ?? 'taken'}`);
      if (reason === undefined) taken.push(count);
    }
  }
  assert.ok(Math.max(...taken) > usualLimits.fields && Math.max(...taken) < usualLimits.fields + 50);
});
