import assert from 'node:assert/strict';
import test from 'node:test';
import { PinTable } from '../../src/affinity/pin-table.ts';
import type { SessionId } from '../../src/affinity/session-codec.ts';

const session = 'session-1' as SessionId;
const podA = { name: 'a', uid: '1' };
const podB = { name: 'b', uid: '2' };

test('the newest term wins, whatever came last', () => {
  const table = new PinTable({ entriesMax: 10 });
  table.put(session, podA, 5);
  table.put(session, podB, 4);
  assert.deepEqual(table.get(session), { pod: podA, epoch: 5 });
  table.put(session, podB, 0);
  assert.deepEqual(table.get(session), { pod: podA, epoch: 5 });
  table.put(session, podB, 6);
  assert.deepEqual(table.get(session), { pod: podB, epoch: 6 });
});

test('without terms the last word counts', () => {
  const table = new PinTable({ entriesMax: 10 });
  table.put(session, podA, 0);
  table.put(session, podB, 0);
  assert.deepEqual(table.get(session)?.pod, podB);
});

test('a pod with another uid is another pod', () => {
  const table = new PinTable({ entriesMax: 10 });
  table.put(session, podA, 0);
  table.put(session, { name: 'a', uid: '9' }, 0);
  assert.equal(table.get(session)?.pod.uid, '9');
});

test('the table is bounded: the session unused for longest is forgotten', () => {
  const table = new PinTable({ entriesMax: 2 });
  for (const id of ['1', '2']) table.put(id as SessionId, podA, 0);
  table.get('1' as SessionId);
  table.put('3' as SessionId, podA, 0);
  assert.equal(table.size, 2);
  assert.deepEqual(
    ['1', '2', '3'].map((id) => table.get(id as SessionId) !== undefined),
    [true, false, true],
  );
});

test('an ended session is forgotten', () => {
  const table = new PinTable({ entriesMax: 2 });
  table.put(session, podA, 3);
  table.remove(session);
  assert.equal(table.get(session), undefined);
});

test('entries share their pods', () => {
  const table = new PinTable({ entriesMax: 2 });
  table.put('1' as SessionId, { ...podA }, 0);
  table.put('2' as SessionId, { ...podA }, 0);
  assert.equal(table.get('1' as SessionId)?.pod, table.get('2' as SessionId)?.pod);
});
