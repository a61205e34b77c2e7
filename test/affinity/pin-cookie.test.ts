import assert from 'node:assert/strict';
import test from 'node:test';
import { fc } from '../support/properties.ts';
import { PinCookies, type PinAsk, type PinCookiesOptions } from '../../src/affinity/pin-cookie.ts';
import { PinSigner } from '../../src/affinity/pin-token.ts';
import type { CookieChange, SessionId } from '../../src/affinity/session-codec.ts';

const keyA = Buffer.from('a-secret-of-at-least-16-bytes');
const keyB = Buffer.from('another-secret-of-16-bytes');
const session = 's'.repeat(40) as SessionId;
const otherSession = 't'.repeat(40) as SessionId;
const podA = { name: 'pod-a', uid: 'uid-a' };
const podB = { name: 'pod-b', uid: 'uid-b' };
const nowMs = Date.UTC(2026, 10, 23, 12, 0, 30);
const set: CookieChange = { kind: 'set', session, attributes: ' Path=/; HttpOnly', lifetimeSeconds: undefined };

function pinCookies(options: Partial<PinCookiesOptions> = {}): PinCookies {
  return new PinCookies({ secrets: [keyA], application: 'shop', name: undefined, sessionCookie: 'sid', ...options });
}

function ask(over: Partial<PinAsk> = {}): PinAsk {
  return {
    status: 200,
    cacheControl: undefined,
    change: { kind: 'none' },
    session,
    reading: { kind: 'none' },
    pod: podA,
    epoch: undefined,
    secure: false,
    nowMs,
    ...over,
  };
}

/** The Cookie that a browser sends back. */
function cookieOf(setCookie: string | undefined): string {
  assert.ok(setCookie !== undefined);
  return setCookie.split(';')[0]!;
}

function issued(pins: PinCookies, over: Partial<PinAsk> = {}): string {
  return cookieOf(pins.due(ask({ change: set, ...over })));
}

test('a pin that was set is read back: pod, epoch, session', () => {
  const pins = pinCookies();
  const epoch = 1_795_436_400_123_456;
  const cookie = issued(pins, { epoch });
  const reading = pinCookies().read(`x=1; ${cookie}; sid=abc`, session, nowMs);
  assert.deepEqual(reading, { kind: 'valid', pod: pins.podDigests('pod-a', 'uid-a')[0], epoch, stale: false });
});

test('every epoch up to 2^53 survives', () => {
  const signer = new PinSigner({ secrets: [keyA], application: 'shop' });
  const claim = { pod: 'p'.repeat(12), session: 'q'.repeat(12), issuedSeconds: 1_795_436_400, expiresSeconds: 0 };
  fc.assert(
    fc.property(fc.nat(Number.MAX_SAFE_INTEGER), (epoch) => {
      assert.deepEqual(signer.read(signer.write({ ...claim, epoch })), { ...claim, epoch });
    }),
  );
});

test('a pin shows neither pod nor session', () => {
  const text = Buffer.from(issued(pinCookies()).slice(12), 'base64url').toString('latin1');
  for (const secret of ['pod-a', 'uid-a', session.slice(0, 8)]) assert.equal(text.includes(secret), false);
  assert.notDeepEqual(
    pinCookies().podDigests('10.0.0.1:80', ''),
    pinCookies({ secrets: [keyB] }).podDigests('10.0.0.1:80', ''),
  );
});

test('no changed character is accepted', () => {
  const pins = pinCookies();
  const cookie = issued(pins);
  const from = cookie.indexOf('=') + 1;
  fc.assert(
    fc.property(
      fc.integer({ min: from, max: cookie.length - 1 }),
      fc.constantFrom('0', '1', 'A', 'b', '-', '_', '+', '/', '.', '=', ' ', 'é'),
      (at, character) => {
        fc.pre(cookie[at] !== character);
        const changed = cookie.slice(0, at) + character + cookie.slice(at + 1);
        assert.equal(pinCookies().read(changed, session, nowMs).kind, 'invalid');
      },
    ),
  );
});

test('any text in the place of a pin counts as none and throws nothing', () => {
  const pins = pinCookies();
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ minLength: 81, maxLength: 81 })), (text) => {
      const reading = pins.read(`${pins.name}=1${text.replaceAll(';', '')}`, session, nowMs);
      assert.equal(reading.kind, 'invalid');
    }),
  );
});

test('a pin of a foreign key or of another application is invalid', () => {
  const pins = pinCookies();
  const foreign = issued(pinCookies({ secrets: [keyB] }));
  assert.equal(pins.read(foreign, session, nowMs).kind, 'invalid');
  const neighbour = pinCookies({ application: 'blog', name: pins.name });
  assert.equal(pins.read(issued(neighbour), session, nowMs).kind, 'invalid');
});

test('an older key still verifies, and its digests still name the pod', () => {
  const old = issued(pinCookies({ secrets: [keyB] }), { epoch: 5 });
  const pins = pinCookies({ secrets: [keyA, keyB] });
  const reading = pins.read(old, session, nowMs);
  assert.ok(reading.kind === 'valid');
  assert.ok(pins.podDigests('pod-a', 'uid-a').includes(reading.pod));
  // Bound to the same session by the old key's digest, it is not due again.
  assert.equal(pins.due(ask({ reading, epoch: 5 })), undefined);
});

test('a pin of another session is a hint, and no more', () => {
  const pins = pinCookies();
  const cookie = issued(pins);
  assert.deepEqual(pins.read(cookie, otherSession, nowMs), { kind: 'hint', pod: pins.podDigests('pod-a', 'uid-a')[0] });
});

test('without a session a pin means nothing', () => {
  const pins = pinCookies();
  assert.deepEqual(pins.read(issued(pins), undefined, nowMs), { kind: 'none' });
  assert.deepEqual(pins.read(undefined, session, nowMs), { kind: 'none' });
  assert.deepEqual(pins.read('sid=1', session, nowMs), { kind: 'none' });
});

test('of several pins the one of this session counts, among the first eight', () => {
  const pins = pinCookies();
  const good = issued(pins);
  const hint = issued(pins, { change: { ...set, session: otherSession } });
  const bad = `${pins.name}=bad`;
  const digest = pins.podDigests('pod-a', 'uid-a')[0];
  assert.equal(pins.read([bad, hint, good].join('; '), session, nowMs).kind, 'valid');
  assert.deepEqual(pins.read([bad, hint, bad].join('; '), session, nowMs), { kind: 'hint', pod: digest });
  assert.equal(pins.read([...Array<string>(7).fill(bad), good].join('; '), session, nowMs).kind, 'valid');
  assert.equal(pins.read([...Array<string>(8).fill(bad), good].join('; '), session, nowMs).kind, 'invalid');
});

test('all our cookies are stripped, and the application gets none of them', () => {
  const pins = pinCookies();
  const cookie = issued(pins);
  assert.equal(pins.strip(`a=1; ${cookie}; b=2; ${pins.name}=x`), 'a=1; b=2');
  assert.equal(pins.strip(cookie), null);
  assert.equal(pins.strip('a=1'), undefined);
  assert.equal(pins.strip(undefined), undefined);
});

test('the attributes are the application’s, byte for byte, with HttpOnly once', () => {
  const text = (attributes: string) => {
    const pins = pinCookies();
    const line = pins.due(ask({ change: { ...set, attributes } }))!;
    assert.equal(line.slice(0, pins.name.length + 1), `${pins.name}=`);
    return line.slice(pins.name.length + 1 + 81);
  };
  assert.equal(text(' Path=/shop ;SameSite=None;  Secure'), '; Path=/shop ;SameSite=None;  Secure; HttpOnly');
  assert.equal(text(' path=/; httponly; samesite=lax'), '; path=/; httponly; samesite=lax');
  assert.equal(text(''), '; HttpOnly');
});

test('logout ends the pin with the same attributes', () => {
  const pins = pinCookies();
  const line = (attributes: string) => pins.due(ask({ change: { kind: 'ended', attributes } }));
  assert.equal(
    line(' expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0; path=/'),
    `${pins.name}=; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0; path=/; HttpOnly`,
  );
  assert.equal(line(' path=/'), `${pins.name}=; path=/; HttpOnly; Max-Age=0`);
});

test('the name is made of application and session cookie, and keeps its prefix', () => {
  assert.match(pinCookies().name, /^hf_[0-9a-f]{8}$/);
  assert.notEqual(pinCookies().name, pinCookies({ application: 'blog' }).name);
  assert.notEqual(pinCookies().name, pinCookies({ sessionCookie: 'other' }).name);
  assert.match(pinCookies({ sessionCookie: '__Host-sid' }).name, /^__Host-hf_[0-9a-f]{8}$/);
  assert.match(pinCookies({ sessionCookie: '__Secure-sid' }).name, /^__Secure-hf_[0-9a-f]{8}$/);
  assert.equal(pinCookies({ name: 'where', sessionCookie: '__Host-sid' }).name, 'where');
});

test('a session cookie found later changes the prefix and nothing else', () => {
  const pins = pinCookies({ sessionCookie: undefined });
  const before = pins.name;
  pins.sessionCookieIs('shop_session');
  assert.equal(pins.name, before);
  pins.sessionCookieIs('__Host-shop_session');
  assert.equal(pins.name, `__Host-${before}`);
});

test('an answer that sets the session’s cookie always brings the pin', () => {
  const pins = pinCookies();
  const reading = pins.read(issued(pins), session, nowMs);
  assert.ok(pins.due(ask({ change: set, reading })) !== undefined);
});

test('another answer brings it only where it is missing, wrong, stale, or behind', () => {
  const pins = pinCookies();
  const valid = pins.read(issued(pins, { epoch: 7 }), session, nowMs);
  assert.ok(valid.kind === 'valid');
  assert.equal(pins.due(ask({ reading: valid, epoch: 7 })), undefined);
  assert.equal(pins.due(ask({ reading: valid })), undefined);
  assert.equal(pins.due(ask({ session: undefined })), undefined);
  for (const reading of [
    { kind: 'none' },
    { kind: 'invalid' },
    { kind: 'expired' },
    { kind: 'hint', pod: 'x' },
  ] as const) {
    assert.ok(pins.due(ask({ reading })) !== undefined, reading.kind);
  }
  assert.ok(pins.due(ask({ reading: { ...valid, stale: true }, epoch: 7 })) !== undefined);
  assert.ok(pins.due(ask({ reading: valid, epoch: 7, pod: podB })) !== undefined);
  assert.ok(pins.due(ask({ reading: valid, epoch: 8 })) !== undefined);
});

test('no pin on 1xx, 304 and what a shared cache may keep', () => {
  const pins = pinCookies();
  assert.equal(pins.due(ask({ change: set, status: 101 })), undefined);
  assert.equal(pins.due(ask({ change: set, status: 304 })), undefined);
  assert.equal(pins.due(ask({ change: set, cacheControl: 'Public, max-age=60' })), undefined);
  assert.equal(pins.due(ask({ change: set, cacheControl: 's-maxage=60' })), undefined);
  assert.ok(pins.due(ask({ change: set, cacheControl: 'no-cache, private' })) !== undefined);
});

test('without knowledge of the application’s attributes the pin has careful ones', () => {
  const suffix = (secure: boolean) => {
    const line = pinCookies().due(ask({ secure }))!;
    return line.slice(line.indexOf(';'));
  };
  assert.equal(suffix(false), '; Path=/; HttpOnly; SameSite=Lax');
  assert.equal(suffix(true), '; Path=/; HttpOnly; SameSite=Lax; Secure');
});

test('a pin that is due later bears the attributes last seen, its life counted from now', () => {
  const pins = pinCookies();
  const attributes = ' expires=Mon, 23-Nov-2026 14:00:30 GMT; Max-Age=7200; path=/app; Secure';
  issued(pins, { change: { ...set, attributes, lifetimeSeconds: 7200 } });
  const line = pins.due(ask({ nowMs: nowMs + 6_000_000 }))!;
  assert.equal(line.slice(line.indexOf(';')), '; path=/app; Secure; Max-Age=7200; HttpOnly');
  const reading = pins.read(cookieOf(line), session, nowMs + 6_000_000 + 7_000_000);
  assert.equal(reading.kind, 'valid');
});

test('a pin lives a minute longer than its session cookie, and is stale past the half', () => {
  const pins = pinCookies();
  const cookie = issued(pins, { change: { ...set, attributes: ' Max-Age=600', lifetimeSeconds: 600 } });
  const at = (seconds: number) => pins.read(cookie, session, nowMs + seconds * 1000);
  assert.deepEqual(
    [at(0), at(299)].map((each) => each.kind === 'valid' && each.stale),
    [false, false],
  );
  assert.deepEqual(
    [at(400), at(659)].map((each) => each.kind === 'valid' && each.stale),
    [true, true],
  );
  assert.deepEqual(at(720), { kind: 'expired' });
});

test('a pin for the browser’s life neither expires nor grows stale', () => {
  const pins = pinCookies();
  const reading = pins.read(issued(pins), session, nowMs + 365 * 86_400_000);
  assert.ok(reading.kind === 'valid');
  assert.equal(reading.stale, false);
});

test('within a minute a session’s pin keeps its text, and no other session’s or pod’s is mixed up with it', () => {
  const pins = pinCookies();
  const first = issued(pins, { epoch: 3 });
  assert.equal(issued(pins, { epoch: 3, nowMs: nowMs + 20_000 }), first);
  // Each differs in one thing from what was issued just before.
  const others: readonly Partial<PinAsk>[] = [
    { epoch: 4 },
    { pod: podB },
    { nowMs: nowMs + 60_000 },
    { change: { ...set, session: otherSession } },
    { change: { ...set, lifetimeSeconds: 60 } },
  ];
  const texts = others.map((other) => {
    assert.equal(issued(pins, { epoch: 3 }), first);
    return issued(pins, { epoch: 3, ...other });
  });
  assert.equal(new Set([first, ...texts]).size, 6);
});

test('the pin that a refusal ends has the attributes last seen', () => {
  const pins = pinCookies();
  assert.equal(pins.endAsLastSeen(false), `${pins.name}=; Path=/; SameSite=Lax; HttpOnly; Max-Age=0`);
  issued(pins, { change: { ...set, attributes: ' Max-Age=60; Path=/x', lifetimeSeconds: 60 } });
  assert.equal(pins.endAsLastSeen(false), `${pins.name}=; Path=/x; HttpOnly; Max-Age=0`);
});
