import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../support/properties.ts';

import { readSlice, type Slice } from '../../src/kubernetes/endpoint-slice.ts';
import { podsOf } from '../../src/kubernetes/slices-to-pods.ts';
import { type GivenSlice, sliceObject } from '../support/scripted-api-server.ts';

const usual = { port: 'http', family: 'IPv4' } as const;

function slice(given: GivenSlice, version = '1'): Slice {
  return readSlice(sliceObject(given, version))!;
}

function rows(slices: readonly Slice[], options: Parameters<typeof podsOf>[1] = usual): string[] {
  return podsOf(slices, options).pods.map(
    ({ name, uid, address, condition }) => `${name} ${uid ?? '-'} ${address.host}:${address.port} ${condition}`,
  );
}

test('pods are named by their targets, sorted, with their zone, at the port of that name', () => {
  const endpoints = [
    { name: 'b', address: '10.0.0.2', zone: 'west' },
    { name: 'a', address: '10.0.0.1' },
  ];
  const ports = [
    { name: 'metrics', port: 9903 },
    { name: 'http', port: 8080 },
  ];
  const one = slice({ name: 's', endpoints, ports });
  assert.deepEqual(rows([one]), ['a a-uid 10.0.0.1:8080 ready', 'b b-uid 10.0.0.2:8080 ready']);
  assert.deepEqual(
    podsOf([one], usual).pods.map(({ zone }) => zone),
    [undefined, 'west'],
  );
});

test('ready, serving and terminating become one word; what is unknown is well, and publishNotReadyAddresses deceives nobody', () => {
  const conditions: readonly (readonly [Readonly<Record<string, boolean>>, string])[] = [
    [{}, 'ready'],
    [{ ready: true }, 'ready'],
    [{ ready: false }, 'not-ready'],
    [{ ready: true, serving: false }, 'not-ready'],
    [{ ready: false, serving: true, terminating: true }, 'terminating'],
    [{ ready: true, serving: true, terminating: true }, 'terminating'],
    [{ ready: false, serving: false, terminating: true }, 'ending'],
  ];
  for (const [given, expected] of conditions) {
    const one = slice({ name: 's', endpoints: [{ name: 'a', address: '10.0.0.1', conditions: given }] });
    assert.deepEqual(rows([one]), [`a a-uid 10.0.0.1:8080 ${expected}`], JSON.stringify(given));
  }
});

test('a port by number is taken as it is; without a port the only one counts', () => {
  const endpoints = [{ name: 'a', address: '10.0.0.1' }];
  const unnamed = slice({ name: 's', endpoints, ports: [{ port: 9000 }] });
  const two = slice({
    name: 's',
    endpoints,
    ports: [
      { name: 'x', port: 1 },
      { name: 'y', port: 2 },
    ],
  });
  const none = slice({ name: 's', endpoints, ports: [] });
  const at = (one: Slice, port: string | number | undefined) => rows([one], { port, family: 'IPv4' });
  assert.deepEqual(at(unnamed, undefined), ['a a-uid 10.0.0.1:9000 ready']);
  assert.deepEqual(at(two, undefined), []);
  for (const one of [unnamed, two, none]) assert.deepEqual(at(one, 8080), ['a a-uid 10.0.0.1:8080 ready']);
});

test('endpoints without the port, or without IP addresses, are left out and counted, with the ports that are there', () => {
  const endpoints = [
    { name: 'a', address: '10.0.0.1' },
    { name: 'b', address: '10.0.0.2' },
  ];
  const slices = [
    slice({ name: 'portless', endpoints, ports: [] }),
    slice({ name: 'other', endpoints: [{ name: 'c', address: '10.0.0.3' }], ports: [{ name: 'web', port: 80 }] }),
    slice({ name: 'names', endpoints: [{ name: 'd', address: 'd.example' }], addressType: 'FQDN' }),
    slice({ name: 'well', endpoints: [{ name: 'e', address: '10.0.0.5' }] }),
  ];
  const { pods, skipped, portNames } = podsOf(slices, usual);
  assert.deepEqual([pods.map(({ name }) => name), portNames], [['e'], ['http', 'web']]);
  assert.deepEqual(Object.fromEntries(skipped), { 'no-port': 3, 'no-address': 1, 'too-many': 0 });
});

test('a pod with addresses of both families is one pod, at the preferred one where it has it', () => {
  const four = slice({ name: 'four', endpoints: [{ name: 'a', address: '10.0.0.1' }] });
  const six = slice({
    name: 'six',
    addressType: 'IPv6',
    endpoints: [
      { name: 'a', address: 'fd00::1' },
      { name: 'b', address: 'fd00::2' },
    ],
  });
  assert.deepEqual(rows([four, six]), ['a a-uid 10.0.0.1:8080 ready', 'b b-uid fd00::2:8080 ready']);
  assert.deepEqual(rows([four, six], { port: 'http', family: 'IPv6' }), [
    'a a-uid fd00::1:8080 ready',
    'b b-uid fd00::2:8080 ready',
  ]);
});

test('a pod in two slices is one: terminating if one says so, else as the slice says that was written last', () => {
  const of = (name: string, address: string, version: string, conditions = {}) =>
    slice({ name, endpoints: [{ name: 'a', address, conditions }] }, version);
  assert.deepEqual(rows([of('s', '10.0.0.1', '99'), of('t', '10.0.0.2', '100')]), ['a a-uid 10.0.0.2:8080 ready']);
  assert.deepEqual(rows([of('s', '10.0.0.1', '9', { terminating: true }), of('t', '10.0.0.1', '10')]), [
    'a a-uid 10.0.0.1:8080 terminating',
  ]);
  assert.deepEqual(rows([of('s', '10.0.0.1', '9', { ready: false }), of('t', '10.0.0.1', '10')]), [
    'a a-uid 10.0.0.1:8080 ready',
  ]);
});

test('of two pods that had one name the one that is not terminating is there, else the one written last', () => {
  const of = (uid: string, version: string, terminating: boolean) =>
    slice(
      { name: uid, endpoints: [{ name: 'app-0', uid, address: `10.0.0.${version}`, conditions: { terminating } }] },
      version,
    );
  assert.deepEqual(rows([of('old', '2', true), of('new', '1', false)]), ['app-0 new 10.0.0.1:8080 ready']);
  assert.deepEqual(rows([of('old', '1', false), of('new', '2', false)]), ['app-0 new 10.0.0.2:8080 ready']);
});

test('endpoints that are no pods are named by their address', () => {
  assert.deepEqual(rows([slice({ name: 's', endpoints: [{ address: '10.0.0.9' }] })]), [
    '10.0.0.9 - 10.0.0.9:8080 ready',
  ]);
});

test('what is not as documented costs itself, and nothing else', () => {
  for (const odd of [undefined, null, 7, 'slice', [], {}, { metadata: {} }, { metadata: { name: 7 } }]) {
    assert.equal(readSlice(odd), undefined);
  }
  const odd = {
    metadata: { name: 's' },
    addressType: 'IPv4',
    ports: [
      null,
      { name: 'http', port: '8080' },
      { name: 'http', port: 0 },
      { name: 'http', port: 1, protocol: 'UDP' },
      { name: 'http', port: 8080 },
    ],
    endpoints: [
      null,
      {},
      { addresses: [] },
      { addresses: [7] },
      { addresses: ['10.0.0.1'], targetRef: { kind: 'Pod', name: 'a' } },
    ],
  };
  assert.deepEqual(rows([readSlice(odd)!]), ['10.0.0.1 - 10.0.0.1:8080 ready']);
  const whatever = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, fc.anything(), tie('slice')),
    slice: fc.record({
      metadata: fc.record({ name: fc.string(), resourceVersion: fc.anything() }),
      addressType: fc.constantFrom('IPv4', 'IPv6', 'FQDN', 7),
      ports: fc.array(fc.record({ name: fc.anything(), port: fc.anything() })),
      endpoints: fc.array(
        fc.record({ addresses: fc.array(fc.anything()), conditions: fc.anything(), targetRef: fc.anything() }),
      ),
    }),
  }));
  fc.assert(
    fc.property(whatever.slice, (given) => {
      podsOf([readSlice(given)!], { port: undefined, family: 'IPv4' });
    }),
  );
});

test('whatever the order in which slices came, the same pods are there, each name once', () => {
  const endpoint = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    uid: fc.constantFrom('1', '2'),
    address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3'),
    conditions: fc.record({ ready: fc.boolean(), serving: fc.boolean(), terminating: fc.boolean() }),
  });
  const given = fc.uniqueArray(
    fc.record({
      name: fc.string({ minLength: 1, maxLength: 2 }),
      addressType: fc.constantFrom('IPv4', 'IPv6'),
      endpoints: fc.array(endpoint, { maxLength: 5 }),
      version: fc.nat(12).map(String),
    }),
    { selector: ({ name }) => name, maxLength: 6 },
  );
  fc.assert(
    fc.property(
      given.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      ([one, other]) => {
        const [first, second] = [one, other].map((all) =>
          podsOf(
            all.map((each) => slice(each, each.version)),
            usual,
          ),
        );
        assert.deepEqual(first, second);
        const names = first!.pods.map(({ name }) => name);
        assert.deepEqual(names, [...new Set(names)].toSorted());
      },
    ),
  );
});
