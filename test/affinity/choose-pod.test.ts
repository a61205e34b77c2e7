import assert from 'node:assert/strict';
import test from 'node:test';
import { fc } from '../support/properties.ts';
import {
  outcomeOf,
  PodChoice,
  type ChoiceInput,
  type PickFailure,
  type PickStep,
} from '../../src/affinity/choose-pod.ts';
import type { PinReading } from '../../src/affinity/pin-cookie.ts';
import { createRing, rendezvousOrder } from '../../src/affinity/rendezvous.ts';
import type { SessionId } from '../../src/affinity/session-codec.ts';
import type { PodState } from '../../src/pods/pod.ts';
import { emptyPodSet, withPods, withState, type PodSet } from '../../src/pods/pod-set.ts';

const session = 'session-0123456789' as SessionId;
const names = ['a', 'b', 'c', 'd'];
const order = rendezvousOrder(createRing(names), session);
/** Not the first by hash, so that a pick of it is a decision. */
const home = order[2]!;
const others = order.filter((name) => name !== home);

type States = Readonly<Record<string, Exclude<PodState, 'gone'>>>;

function podsWith(states: States = {}, listed: readonly string[] = names): PodSet {
  let set = withPods(
    emptyPodSet((name, uid) => [`${name}/${uid}`]),
    listed.map((name) => ({ name, uid: `uid-${name}`, address: { host: '127.0.0.1', port: 80 } })),
  );
  for (const [name, state] of Object.entries(states))
    set = withState(set, name, { state, why: 'test' }, { nowMs: 0, warm: true });
  return set;
}

function pinOf(name: string, epoch = 0): PinReading {
  return { kind: 'valid', pod: `${name}/uid-${name}`, epoch, stale: false };
}

function entryOf(name: string, epoch = 0) {
  return { pod: { name, uid: `uid-${name}` }, epoch };
}

function choice(over: Partial<ChoiceInput> = {}): PodChoice {
  return new PodChoice({
    session,
    pin: { kind: 'none' },
    entry: undefined,
    owner: undefined,
    pods: podsWith(),
    strict: false,
    sidecars: true,
    storeDown: false,
    rebalance: undefined,
    boundedLoad: 1.25,
    slowStartMs: 10_000,
    random: () => 0,
    nowMs: 100_000,
    ...over,
  });
}

/** All steps in one line each: `name reason outcome move`, or the reason there is none. */
function story(over: Partial<ChoiceInput>, failures: readonly PickFailure[] = []): string[] {
  const chosen = choice(over);
  const lines: string[] = [];
  for (let at = -1; at < 12; at++) {
    const step = chosen.next(at === -1 ? undefined : (failures[at] ?? 'unreachable'));
    lines.push(said(step));
    if (step.kind === 'none') break;
  }
  return lines;
}

function said(step: PickStep): string {
  if (step.kind === 'none') return `${step.reason}${step.endPin ? ' end-pin' : ''}`;
  const { pod, reason, outcome, move } = step.pick;
  return [pod.name, reason, outcome, move ?? '-'].join(' ');
}

const hashed = (outcome: string, move: string) => others.map((name) => `${name} hash ${outcome} ${move}`);

test('a pinned session goes to its pod', () => {
  assert.equal(story({ pin: pinOf(home) })[0], `${home} pin hit -`);
});

test('a session of the table, or of the store, goes to its pod', () => {
  assert.equal(story({ entry: entryOf(home) })[0], `${home} table hit -`);
  assert.equal(story({ owner: entryOf(home) })[0], `${home} owner hit -`);
});

test('the newest term wins; the pin where terms are equal', () => {
  const [x, y] = others as [string, string];
  assert.equal(story({ pin: pinOf(home, 5), entry: entryOf(x, 6) })[0], `${x} table hit -`);
  assert.equal(story({ pin: pinOf(home, 5), entry: entryOf(x, 5) })[0], `${home} pin hit -`);
  assert.equal(story({ pin: pinOf(home, 5), entry: entryOf(x, 0) })[0], `${home} pin hit -`);
  assert.equal(story({ pin: pinOf(home, 5), entry: entryOf(x, 6), owner: entryOf(y, 7) })[0], `${y} owner hit -`);
  assert.equal(story({ pin: { kind: 'none' }, entry: entryOf(x, 6), owner: entryOf(y, 6) })[0], `${x} table hit -`);
});

test('a pod that refuses is left by all its sessions in the order of the hash, told as unhealthy', () => {
  assert.deepEqual(story({ pin: pinOf(home) }), [
    `${home} pin hit -`,
    ...hashed('moved-unhealthy', 'unhealthy'),
    'no-pod-ready',
  ]);
});

test('a pod that says it drains hands on with the word draining', () => {
  assert.deepEqual(story({ pin: pinOf(home) }, ['draining']).slice(0, 2), [
    `${home} pin hit -`,
    `${others[0]!} hash moved-draining draining`,
  ]);
});

test('sessions of a gone pod move to one pod, with the word gone', () => {
  const pods = podsWith({}, others);
  const lines = [...hashed('moved-gone', 'gone'), 'no-pod-ready'];
  assert.deepEqual(story({ pin: pinOf(home), pods }), lines);
  assert.deepEqual(story({ entry: entryOf(home), pods }), lines);
  const left = withPods(
    podsWith(),
    others.map((name) => ({ name, address: { host: '127.0.0.1', port: 80 } })),
  );
  assert.deepEqual(story({ pin: pinOf(home), pods: left }), lines);
});

test('a pod that came back with another uid is another pod', () => {
  const pods = withPods(
    podsWith(),
    names.map((name) => ({ name, uid: `${name}-2`, address: { host: 'x', port: 1 } })),
  );
  assert.equal(story({ pin: pinOf(home), pods })[0], `${order[0]!} hash moved-gone gone`);
  assert.equal(story({ entry: entryOf(home), pods })[0], `${order[0]!} hash moved-gone gone`);
});

for (const state of ['draining', 'unhealthy'] as const) {
  const pods = podsWith({ [home]: state });

  test(`sessions with a keeper leave a ${state} pod, which is asked last`, () => {
    assert.deepEqual(story({ pin: pinOf(home), pods }), [
      ...hashed(`moved-${state}`, state),
      `${home} pin hit -`,
      'no-pod-ready',
    ]);
  });

  test(`while the store is down nothing moves from a ${state} pod before it refuses`, () => {
    assert.deepEqual(story({ pin: pinOf(home), pods, storeDown: true }), [
      `${home} pin hit -`,
      ...hashed(`moved-${state}`, state),
      'no-pod-ready',
    ]);
  });

  test(`without a keeper sessions stay on a ${state} pod, and no word is signed when it refuses`, () => {
    assert.deepEqual(story({ pin: pinOf(home), pods, sidecars: false }), [
      `${home} pin hit -`,
      ...hashed(`moved-${state}`, '-'),
      'no-pod-ready',
    ]);
  });

  test(`strict refuses while the pod is ${state}`, () => {
    for (const sidecars of [true, false]) {
      assert.deepEqual(story({ pin: pinOf(home), pods, strict: true, sidecars }), ['pod-not-available']);
    }
  });

  test(`a ${state} pod gets no new session and no hashed one while another pod takes it`, () => {
    const balanced = story({ session: undefined, pods }, ['other', 'other', 'other']);
    assert.ok(balanced.slice(0, 3).every((line) => /^. balance none -$/.test(line) && !line.startsWith(home)));
    const last = state === 'draining' ? [`${home} balance none -`, 'no-pod-ready'] : ['no-pod-ready'];
    assert.deepEqual(balanced.slice(3), last);
    const first = podsWith({ [order[0]!]: state });
    assert.equal(story({ pods: first })[0], `${order[1]!} hash expired -`);
  });
}

test('strict refuses when the pod refuses', () => {
  assert.deepEqual(story({ pin: pinOf(home), strict: true }), [`${home} pin hit -`, 'pod-not-available']);
});

test('strict, and the pod is gone: restored with a keeper, one 503 that ends the pin without', () => {
  const pods = podsWith({}, others);
  assert.equal(story({ pin: pinOf(home), pods, strict: true })[0], `${others[0]!} hash moved-gone gone`);
  assert.deepEqual(story({ pin: pinOf(home), pods, strict: true, sidecars: false }), ['pod-not-available end-pin']);
});

test('strict hinders no session without a home', () => {
  assert.equal(story({ strict: true })[0], `${order[0]!} hash expired -`);
  assert.equal(story({ strict: true, session: undefined })[0]?.endsWith('balance none -'), true);
});

test('a session that is not there while the store is down is sought at its pinned pod at once', () => {
  const pods = podsWith({ [home]: 'unhealthy' });
  assert.deepEqual(story({ pin: pinOf(home), pods }, ['not-here']).slice(0, 2), [
    `${others[0]!} hash moved-unhealthy unhealthy`,
    `${home} pin hit -`,
  ]);
});

test('an unknown session goes by the hash, and its outcome says that nobody knows it', () => {
  assert.deepEqual(story({}), [...order.map((name) => `${name} hash expired -`), 'no-pod-ready']);
  assert.equal(story({ pin: { kind: 'expired' } })[0], `${order[0]!} hash expired -`);
});

test('a bad pin counts as none', () => {
  assert.equal(story({ pin: { kind: 'invalid' } })[0], `${order[0]!} hash invalid -`);
  assert.equal(story({ pin: { kind: 'invalid' }, entry: entryOf(home) })[0], `${home} table hit -`);
});

test('a pin of another session is asked after the table and before the hash', () => {
  const pin: PinReading = { kind: 'hint', pod: `${home}/uid-${home}` };
  assert.deepEqual(story({ pin }), [`${home} hint invalid -`, ...hashed('invalid', '-'), 'no-pod-ready']);
  assert.equal(story({ pin, entry: entryOf(others[0]!) })[0], `${others[0]!} table hit -`);
  assert.equal(story({ pin, pods: podsWith({ [home]: 'draining' }) })[0], `${others[0]!} hash invalid -`);
  assert.equal(story({ pin: { kind: 'hint', pod: 'nobody' } })[0], `${order[0]!} hash invalid -`);
});

test('in a panic unhealthy pods come last, and do not vanish', () => {
  const [first, second, third] = order as [string, string, string];
  const pods = podsWith({ [first]: 'unhealthy', [second]: 'unhealthy', [third]: 'unhealthy' });
  const expected = [order[3]!, first, second, third].map((name) => `${name} hash expired -`);
  assert.deepEqual(story({ pods }), [...expected, 'no-pod-ready']);
  const calm = podsWith({ [first]: 'unhealthy', [second]: 'unhealthy' });
  const calmly = [`${third} hash expired -`, `${order[3]!} hash expired -`, 'no-pod-ready'];
  assert.deepEqual(story({ pods: calm }, ['other', 'other']), calmly);
});

test('pods that refuse this exchange count for the panic: an unhealthy pod is asked before nobody is', () => {
  const pods = podsWith({ [home]: 'unhealthy' });
  const refusals: PickFailure[] = ['unreachable', 'unreachable', 'unreachable'];
  assert.deepEqual(story({ session: undefined, pods }, refusals).slice(3), [`${home} balance none -`, 'no-pod-ready']);
  assert.deepEqual(story({ pods }, refusals).slice(3), [`${home} hash expired -`, 'no-pod-ready']);
});

test('in a panic a session’s own unhealthy pod goes before others like it', () => {
  const pods = podsWith({ [home]: 'unhealthy', [others[0]!]: 'unhealthy', [others[1]!]: 'unhealthy' });
  assert.deepEqual(story({ pin: pinOf(home), pods }), [
    `${others[2]!} hash moved-unhealthy unhealthy`,
    `${home} pin hit -`,
    `${others[0]!} hash moved-unhealthy unhealthy`,
    `${others[1]!} hash moved-unhealthy unhealthy`,
    'no-pod-ready',
  ]);
});

test('the last draining pods still serve, each its own sessions first', () => {
  const pods = podsWith({ a: 'draining', b: 'draining', c: 'draining', d: 'draining' });
  assert.equal(story({ pin: pinOf(home), pods })[0], `${home} pin hit -`);
  assert.equal(story({ pods })[0], `${order[0]!} hash expired -`);
  assert.match(story({ session: undefined, pods })[0]!, /balance none -$/);
});

test('a pod that refused within the last second is last for everyone but its owner', () => {
  const pods = podsWith();
  pods.byName.get(order[0]!)!.load.refusedAtMs = 99_500;
  assert.equal(story({ pods })[0], `${order[1]!} hash expired -`);
  assert.equal(story({ pods })[3], `${order[0]!} hash expired -`);
  assert.equal(story({ pods, pin: pinOf(order[0]!) })[0], `${order[0]!} pin hit -`);
  assert.equal(story({ pods, nowMs: 100_500 })[0], `${order[0]!} hash expired -`);
  const balanced = story({ pods, session: undefined });
  assert.equal(balanced[3], `${order[0]!} balance none -`);
});

test('without pods nothing is picked', () => {
  const pods = podsWith({}, []);
  for (const over of [{ pods }, { pods, session: undefined }, { pods, pin: pinOf(home) }]) {
    assert.deepEqual(story(over), ['no-pods']);
  }
});

test('a pinned session never overflows', () => {
  const pods = podsWith();
  pods.byName.get(home)!.load.inFlight = 10_000;
  assert.equal(story({ pods, pin: pinOf(home) })[0], `${home} pin hit -`);
});

test('whatever the situation, every pod is picked at most once and the choice ends', () => {
  const state = fc.constantFrom('ready' as const, 'draining' as const, 'unhealthy' as const);
  const pin = fc.oneof(
    fc.constantFrom(...names).map((name) => pinOf(name, 3)),
    fc.constantFrom<PinReading>({ kind: 'none' }, { kind: 'invalid' }, { kind: 'hint', pod: 'a/uid-a' }),
  );
  const entry = fc.option(fc.tuple(fc.constantFrom(...names, 'z'), fc.nat(6)), { nil: undefined });
  const failures = fc.array(fc.constantFrom<PickFailure>('unreachable', 'draining', 'not-here', 'other'));
  fc.assert(
    fc.property(
      fc.record({ pin, entry, owner: entry, states: fc.array(state, { maxLength: 4 }), hasSession: fc.boolean() }),
      fc.record({ strict: fc.boolean(), sidecars: fc.boolean(), storeDown: fc.boolean() }),
      failures,
      (given, rules, failed) => {
        const states = Object.fromEntries(given.states.map((each, index) => [names[index]!, each]));
        const lines = story(
          {
            pin: given.pin,
            entry: given.entry && entryOf(...given.entry),
            owner: given.owner && entryOf(...given.owner),
            pods: podsWith(states),
            ...rules,
            ...(given.hasSession ? {} : { session: undefined }),
          },
          failed,
        );
        const picked = lines.slice(0, -1).map((line) => line.split(' ')[0]);
        assert.equal(new Set(picked).size, picked.length);
        assert.match(lines.at(-1)!, /^(no-pod-ready|pod-not-available)/);
        assert.ok(rules.sidecars || lines.slice(0, -1).every((line) => line.endsWith(' -')));
      },
    ),
  );
});

test('the sidecar’s word on the outcome wins where it knows better', () => {
  const after = (picked: Parameters<typeof outcomeOf>[0], sidecar?: Parameters<typeof outcomeOf>[0], isSet = false) =>
    outcomeOf(picked, { sidecar, isSet });
  assert.equal(after('moved-gone', 'restored'), 'restored');
  assert.equal(after('moved-gone', 'restore-failed'), 'restore-failed');
  assert.equal(after('moved-draining', 'hit'), 'moved-draining');
  assert.equal(after('hit', 'expired'), 'expired');
  assert.equal(after('expired', 'hit'), 'hit');
  assert.equal(after('invalid', 'hit'), 'invalid');
  assert.equal(after('hit'), 'hit');
  assert.equal(after('none', undefined, true), 'new');
  assert.equal(after('none', 'none'), 'none');
});

test('slow start is for exchanges without a session: pinned and hashed ones go where they belong', () => {
  const cold = (name: string): PodSet => {
    const down = withState(podsWith(), name, { state: 'unhealthy', why: '' }, { nowMs: 0, warm: false });
    return withState(down, name, { state: 'ready', why: '' }, { nowMs: 100_000, warm: false });
  };
  assert.equal(story({ pods: cold(home), pin: pinOf(home) })[0], `${home} pin hit -`);
  assert.equal(story({ pods: cold(order[0]!) })[0], `${order[0]} hash expired -`);

  const share = (afterMs: number): number => {
    let draws = 0;
    let cold0 = 0;
    // Each draw once, evenly.
    for (; draws < 1000; draws++) {
      const random = ((at) => () => (at++ === 0 ? (draws + 0.5) / 1000 : 0.5))(0);
      const pods = cold('a');
      const step = choice({ session: undefined, pods, random, nowMs: 100_000 + afterMs }).next();
      if (step.kind === 'pick' && step.pick.pod.name === 'a') cold0++;
    }
    return cold0 / draws;
  };
  const shares = [0, 2500, 5000, 10_000].map(share);
  const expected = [0.1 / 3.1, 0.25 / 3.25, 0.5 / 3.5, 0.25];
  shares.forEach((got, index) =>
    assert.ok(Math.abs(got - expected[index]!) < 0.002, `${got} is not ${expected[index]}`),
  );
});
