import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { believedRequestId, forwardRequestHead, type RequestForwarding } from '../../src/http1/forward-head.ts';
import { readRequests } from '../support/http1-stream.ts';

const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const newTrace = '00-1af7651916cd43dd8448eb211c80319d-b7ad6b7169203332-00';

const usual: RequestForwarding = {
  cookie: undefined,
  forwarded: 'replace',
  client: { address: '192.0.2.1', secure: false },
  requestId: 'new-id',
  newTraceParent: () => newTrace,
  added: [],
};

/** The lines that go upstream for a head of these lines. */
function forwarded(lines: readonly string[], changes: Partial<RequestForwarding> = {}): string[] {
  const [first = '', ...fields] = lines;
  const { messages, refused } = readRequests([Buffer.from([first, ...fields, '', ''].join('\r\n'), 'latin1')]);
  assert.equal(refused, undefined);
  const text = forwardRequestHead(messages[0]!.head, { ...usual, ...changes });
  assert(text.endsWith('\r\n\r\n'));
  return text.slice(0, -4).split('\r\n');
}

const get = ['GET /x HTTP/1.1', 'Host: a'] as const;
/** What every request forwarded in mode 'replace' ends with. */
const ours = [
  'X-Forwarded-For: 192.0.2.1',
  'X-Forwarded-Proto: http',
  'X-Forwarded-Host: a',
  'X-Request-ID: new-id',
] as const;

describe('a forwarded request head', () => {
  test('has Host first, keeps order and spelling, and ends with ours', () => {
    const lines = forwarded(['GET /x?y HTTP/1.1', 'uSER-Agent: u', 'X-B:2', 'Host: a', 'X-A:  1 ', 'baggage: t']);
    assert.deepEqual(lines, [
      'GET /x?y HTTP/1.1',
      'Host: a',
      'uSER-Agent: u',
      'X-B: 2',
      'X-A: 1',
      'baggage: t',
      ...ours,
    ]);
  });

  test('is HTTP/1.1 with a Host, whatever the client spoke', () => {
    assert.deepEqual(forwarded(['GET / HTTP/1.0']).slice(0, 3), ['GET / HTTP/1.1', 'Host: ', ours[0]]);
  });

  test('names the authority of an absolute target as Host', () => {
    const lines = forwarded(['GET http://b:81/y HTTP/1.1', 'Host: a']);
    assert.deepEqual(lines.slice(0, 2), ['GET /y HTTP/1.1', 'Host: b:81']);
    assert(lines.includes('X-Forwarded-Host: b:81') && !lines.includes('Host: a'));
  });

  test('has no hop-by-hop field, and none that Connection names', () => {
    const lines = forwarded([
      ...get,
      'Connection: close, X-Mine , ,TE',
      'x-mine: 1',
      'Keep-Alive: 5',
      'Proxy-Connection: keep-alive',
      'TE: trailers',
      'Upgrade: websocket',
      'HTTP2-Settings: x',
      'Proxy-Authorization: p',
      'X-Stays: 1',
    ]);
    assert.deepEqual(lines, ['GET /x HTTP/1.1', 'Host: a', 'X-Stays: 1', ...ours]);
  });

  test('keeps the fields that a client must not be able to name away', () => {
    const kept = ['Authorization: b', 'X-Forwarded-For: 1', 'Forwarded: for=1', 'X-Real-IP: 1', 'X-Original-URL: /o'];
    const lines = forwarded(
      [
        'POST /x HTTP/1.1',
        'Host: a',
        'Connection: host, content-length, cookie, authorization, x-forwarded-for, forwarded, x-real-ip, x-original-url, x-request-id',
        ...kept,
        'X-Request-ID: id',
        'Content-Length: 1',
        'Cookie: c=1',
      ],
      { forwarded: 'keep' },
    );
    assert.deepEqual(lines, [
      'POST /x HTTP/1.1',
      'Host: a',
      ...kept,
      'Content-Length: 1',
      'Cookie: c=1',
      'X-Request-ID: new-id',
    ]);
  });

  test('has no name with an underscore or a dot, no Proxy, and no internal field of a stranger', () => {
    const lines = forwarded([
      ...get,
      'X_Forwarded_For: 1',
      'Content_Length: 5',
      'X.Real.IP: 1',
      'X-Forwarded.For: 1',
      'pRoxy: p',
      'X-Holdfast-Move: gone',
      'x-holdfast-: 1',
    ]);
    assert.deepEqual(lines, [...get, ...ours]);
  });

  test('bears internal fields only as we add them', () => {
    const lines = forwarded([...get, 'X-Holdfast-Move: theirs'], { added: [['x-holdfast-move', 'ours']] });
    assert.deepEqual(lines.slice(-2), ['X-Request-ID: new-id', 'x-holdfast-move: ours']);
    assert(!lines.includes('X-Holdfast-Move: theirs'));
  });

  test('has no empty Cookie line, and none of its parts is empty', () => {
    assert.deepEqual(forwarded([...get, 'Cookie:']), [...get, ...ours]);
    assert(forwarded([...get, 'Cookie: ', 'Cookie: a=1', 'Cookie:']).includes('Cookie: a=1'));
  });

  test('frames the body by one field of our own spelling', () => {
    assert(forwarded(['POST / HTTP/1.1', 'Host: a', 'CONTENT-length:\t007 ']).includes('Content-Length: 7'));
    assert(forwarded(['POST / HTTP/1.1', 'Host: a', 'Content-Length: 0']).includes('Content-Length: 0'));
    assert(
      forwarded(['POST / HTTP/1.1', 'Host: a', 'transfer-encoding: CHUNKED']).includes('Transfer-Encoding: chunked'),
    );
    assert(!forwarded(get).join().toLowerCase().includes('length'));
  });

  test('has one Cookie line: as it came, as it was changed, or none', () => {
    const two = [...get, 'Cookie: a=1', 'X: y', 'cookie: b=2'];
    const cookies = (changes?: Partial<RequestForwarding>): string[] =>
      forwarded(two, changes).filter((text) => text.toLowerCase().startsWith('cookie'));
    assert.deepEqual(cookies(), ['Cookie: a=1; b=2']);
    assert.deepEqual(cookies({ cookie: 'b=2' }), ['Cookie: b=2']);
    assert.deepEqual(cookies({ cookie: null }), []);
  });

  test('asks for an upgrade in our own words, and only for one that was read', () => {
    const lines = forwarded([...get, 'Connection: keep-alive, UPGRADE', 'upgrade: websocket', 'Sec-WebSocket-Key: k']);
    assert.deepEqual(lines.slice(2, 5), ['Sec-WebSocket-Key: k', 'Connection: upgrade', 'Upgrade: websocket']);
    assert(
      !forwarded([...get, 'Connection: upgrade', 'Upgrade: h2c'])
        .join()
        .toLowerCase()
        .includes('upgrade'),
    );
  });

  test('forwards an expectation only where one is kept', () => {
    const expecting = 'Expect: 100-continue';
    assert(forwarded(['POST / HTTP/1.1', 'Host: a', expecting, 'Content-Length: 1']).includes(expecting));
    assert(!forwarded(['POST / HTTP/1.1', 'Host: a', expecting, 'Content-Length: 0']).includes(expecting));
    assert(!forwarded(['POST / HTTP/1.0', expecting, 'Content-Length: 1']).includes(expecting));
  });

  test('refuses to be written with a line of ours that is not one line', () => {
    for (const [name, value] of [
      ['x', 'a\r\nb: c'],
      ['x', 'a\n'],
      ['x', '\u0100'],
      ['x y', 'a'],
      ['', 'a'],
      ['x:', 'a'],
    ] as const) {
      assert.throws(() => forwarded(get, { added: [[name, value]] }), { name: 'AssertionError' });
    }
    assert.throws(() => forwarded(get, { cookie: 'a=1\r\nHost: b' }), { name: 'AssertionError' });
    assert.throws(() => forwarded(get, { requestId: 'a\r\n' }), { name: 'AssertionError' });
    assert.throws(() => forwarded(get, { client: { address: '1\r\n', secure: true } }), { name: 'AssertionError' });
  });
});

describe('what proxies before us said', () => {
  const said = [
    'X-Forwarded-For: 198.51.100.7',
    'x-forwarded-for: 198.51.100.8',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Prefix: /p',
    'Forwarded: for=198.51.100.7',
    'X-Real-IP: 198.51.100.7',
    'X-Original-URL: /o',
    'X-Rewrite-URL: /r',
  ] as const;

  test('is replaced where it comes from a stranger', () => {
    assert.deepEqual(forwarded([...get, ...said, 'X-Forwarded-Host: evil', 'X-Request-ID: theirs']), [...get, ...ours]);
  });

  test('is appended to where it comes from a trusted proxy', () => {
    assert.deepEqual(forwarded([...get, ...said], { forwarded: 'append' }), [
      ...get,
      ...said.slice(2).filter((line) => !line.startsWith('Forwarded')),
      'X-Forwarded-For: 198.51.100.7, 198.51.100.8, 192.0.2.1',
      'X-Forwarded-Host: a',
      'Forwarded: for=198.51.100.7, for=192.0.2.1',
      'X-Request-ID: new-id',
    ]);
  });

  test('is set where a trusted proxy said nothing', () => {
    assert.deepEqual(forwarded(get, { forwarded: 'append', client: { address: '2001:db8::1', secure: true } }), [
      ...get,
      'X-Forwarded-For: 2001:db8::1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: a',
      'X-Request-ID: new-id',
    ]);
  });

  test('stays as it is where it comes from a gateway', () => {
    assert.deepEqual(forwarded([...get, ...said, 'X-Request-ID: theirs'], { forwarded: 'keep' }), [
      ...get,
      ...said,
      'X-Request-ID: new-id',
    ]);
  });

  test('by any other usual name is believed from a trusted proxy only', () => {
    const names =
      'Client-IP X-Client-IP X-Cluster-Client-IP True-Client-IP CF-Connecting-IP Fastly-Client-IP Forwarded-For X-Forwarded X-Forwarded-Port';
    const lines = names.split(' ').map((name) => `${name}: 198.51.100.7`);
    assert.deepEqual(forwarded([...get, ...lines]), [...get, ...ours]);
    assert.deepEqual(forwarded([...get, ...lines], { forwarded: 'append' }).slice(2, -4), lines);
    const spelled = ['X_Forwarded_For: 1', 'X_Real_IP: 1', 'X.Forwarded.Proto: https', 'Client_IP: 1'];
    for (const mode of ['replace', 'append', 'keep'] as const) {
      const lines = forwarded([...get, ...spelled], { forwarded: mode });
      assert.deepEqual(
        lines.filter((line) => spelled.includes(line)),
        [],
      );
    }
  });

  test('an IPv6 client stands in Forwarded as RFC 7239 has it', () => {
    const client = { address: '2001:db8::1', secure: false };
    const lines = forwarded([...get, 'Forwarded: for=a', 'forwarded: for=b'], { forwarded: 'append', client });
    assert.deepEqual(lines.slice(-2), ['Forwarded: for=a, for=b, for="[2001:db8::1]"', 'X-Request-ID: new-id']);
  });

  test("a request's own id is believed where it is short, plain, and the only one", () => {
    const id = (...ids: readonly string[]): string | undefined => {
      const lines = [...get, ...ids.map((value) => `X-Request-ID: ${value}`), '', ''];
      const { messages } = readRequests([Buffer.from(lines.join('\r\n'), 'latin1')]);
      return believedRequestId(messages[0]!.head);
    };
    assert.equal(id('theirs'), 'theirs');
    assert.equal(id('a'.repeat(64)), 'a'.repeat(64));
    for (const ids of [[], ['a b'], ['a'.repeat(65)], [''], ['a', 'b'], ['a', 'a'], ['a;b']]) {
      assert.equal(id(...ids), undefined);
    }
  });
});

describe('the trace of a request', () => {
  const [parent, state] = [`traceparent: ${trace}`, 'tracestate: a=b'];
  const traced = (lines: readonly string[], mode: RequestForwarding['forwarded']): readonly string[] =>
    forwarded([...get, ...lines], { forwarded: mode }).filter((line) => line.startsWith('trace'));

  test('is a new one where a stranger sent one, and none where he did not: then the application decides', () => {
    assert.deepEqual(traced([parent, state], 'replace'), [`traceparent: ${newTrace}`]);
    assert.deepEqual(traced(['traceparent: no'], 'replace'), [`traceparent: ${newTrace}`]);
    assert.deepEqual(traced([state], 'replace'), []);
    assert.deepEqual(traced([], 'replace'), []);
  });

  test('passes from a trusted proxy and from a gateway', () => {
    const later = `traceparent: 01${trace.slice(2)}-more`;
    for (const mode of ['append', 'keep'] as const) {
      assert.deepEqual(traced([parent, state], mode), [parent, state]);
      assert.deepEqual(traced([later], mode), [later]);
      assert.deepEqual(traced([], mode), []);
    }
  });

  test('is dropped where a trusted proxy sent what is none, and its tracestate too', () => {
    const wrong = [
      trace.toUpperCase(),
      `${trace}-more`,
      trace.slice(0, -1),
      `ff${trace.slice(2)}`,
      `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
      `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`,
      `01${trace.slice(2)}more`,
      '',
    ];
    for (const value of wrong) assert.deepEqual(traced([`traceparent: ${value}`, state], 'append'), [], value);
    assert.deepEqual(traced([parent, parent, state], 'append'), []);
    assert.deepEqual(traced([state], 'append'), []);
  });
});
