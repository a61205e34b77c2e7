/**
 * What is signed or sealed: nothing that was changed in any bit is taken for genuine. The genuine texts are written out, so
 * that an input means the same in every run.
 */

import assert from 'node:assert/strict';
import { PinCookies } from '../../../src/affinity/pin-cookie.ts';
import { PinSigner } from '../../../src/affinity/pin-token.ts';
import type { SessionId } from '../../../src/affinity/session-codec.ts';
import type { Secrets } from '../../../src/base/keyring.ts';
import { ReleaseSigner } from '../../../src/sessions/peer-message.ts';
import type { StoreName } from '../../../src/store/contract.ts';
import { Sealer } from '../../../src/store/seal.ts';
import { HelloSigner } from '../../../src/upstream/hello.ts';
import {
  formatOwnMark,
  formatServedBy,
  InternalSigner,
  parseOwnMark,
  parseServedBy,
} from '../../../src/upstream/signed-fields.ts';
import type { Target } from '../fuzzer.ts';

const secrets: Secrets = [Buffer.from('a secret for inputs that are made up')];
const uid = 'uid-1';
const session = 's'.repeat(40) as SessionId;

const asks = [
  'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn;1795436400123456;planned;d0DV67SjBoxO;1A2CVI4plmusTVu58ieB5n8mdL5Bm045',
  'mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm;1;now;Lk_Dgo8JC3U9;EALFdr5EMLeUTvosyoqCM6XpDkJZLFGg',
];
const token = 'K_VbyIqydv1toe9d;yQ0umNU8XeSB5MRVqxW7T7qosK798HzC';
const move = 'gone;EcFj9TN8q9gV;HzZ9WdHhlBDxJYgbMalU9qx-AcgVow4B';
const hop = 'uid%202%3B;uid-1;Cpfu-8cDp1L0;klt1CdhgP8cqm9zg6FRIGNGjPjro9WuD';
const question = 'wSxaKqEh9IcQ1lyq;b1j5aV636kNjckRDV8mUgKswWJ2cabgc';
const pin = new PinSigner({ secrets, application: 'shop' });
const pinToken = pin.write({
  pod: pin.podDigests('pod-a', 'uid-a')[0],
  session: pin.sessionDigest(session),
  epoch: 1_795_436_400_123_456,
  issuedSeconds: 1_795_436_400,
  expiresSeconds: 0,
});
const sealed = Buffer.from('ATGJ2IUGiES1X/f4uokH71ay1U3ChPXr4Q4Ey/S0S2tGqdVorR/V', 'base64');
const sealedAs = { name: 'n'.repeat(43) as StoreName, version: 3, mtimeMs: 1_795_436_400_123 };

const words = [
  ';',
  '=',
  'A',
  '-',
  '_',
  '%20',
  '%',
  '+',
  '/',
  'planned',
  'now',
  'gone',
  'draining',
  'unsent; ',
  'sent; ',
  '0',
  '1',
  '9007199254740993',
  'hit',
  'pod-a',
];

const release = new ReleaseSigner(secrets);
const internal = new InternalSigner(secrets);
const hello = new HelloSigner(secrets);
const sealer = new Sealer(secrets, 'shop');

export const messages: Target = {
  name: 'messages',
  seeds: [...asks, token, move, hop, question, 'pod-a;uid-a;3;hit', 'pod%20a;%3B;0;new', 'unsent; draining', 'sent; x'],
  words,
  run(input) {
    const text = input.toString('latin1');
    if (release.verifyAsk(uid, text) !== undefined) assert(asks.includes(text), 'a release that nobody asked for');
    assert.equal(release.verifyAsk('uid-2', text), undefined);
    const ask = release.verifyAsk(uid, asks[0]!)!;
    assert.equal(release.verifyAnswer(uid, ask, { text: 'released', signature: text }), undefined);
    assert.equal(internal.verifyToken(uid, text), text === token);
    assert.equal(internal.verifyMove(uid, text, session) !== undefined, false);
    assert.equal(internal.verifyMove(uid, text, 'session') !== undefined, text === move);
    const marked = internal.verifyHop(text, 'session');
    if (marked !== undefined) assert.deepEqual(marked, { from: 'uid 2;', to: 'uid-1' });
    const served = parseServedBy(text);
    if (served !== undefined) assert.deepEqual(parseServedBy(formatServedBy(served)), served);
    const mark = parseOwnMark(text);
    if (mark !== undefined) assert.equal(formatOwnMark(mark), text);
    const answered = hello.answer(text, { name: 'p', uid, application: 'up', store: 'up', draining: false });
    assert.equal(answered !== undefined, text === question, 'a hello that nobody signed is answered');
    assert.equal(hello.isTerminating(text, { uid, run: 'run' }), false);
    assert.equal(hello.read('wSxaKqEh9IcQ1lyq', { body: text, value: text }), undefined);
  },
};

const nowMs = 1_795_436_400_000;

export const pins: Target = {
  name: 'pins',
  seeds: [`hf=${pinToken}`, `hf=x; hf=${pinToken}; a=b`, `hf=${'A'.repeat(81)}`, ...Array<string>(3).fill('hf=1')],
  words: [...words, pinToken, 'hf=', '; ', '"', `hf=${pinToken}; `],
  run(input) {
    const text = input.toString('latin1');
    const cookies = new PinCookies({
      secrets,
      application: 'shop',
      name: 'hf',
      sessionCookie: 'sid',
      issuedMax: 8,
      verifiedMax: 8,
    });
    const reading = cookies.read(text, session, nowMs);
    const known = reading.kind === 'valid' || reading.kind === 'hint';
    if (known) assert(text.includes(pinToken), 'a pin that nobody signed');
    if (known) assert.equal(reading.kind, 'valid');
    const left = cookies.strip(text);
    if (left !== undefined) assert.equal(cookies.read(left ?? '', session, nowMs).kind, 'none', 'our cookies are gone');
    const claim = pin.read(text);
    if (claim !== undefined) assert.equal(pin.write(claim), text);
  },
};

export const blobs: Target = {
  name: 'blobs',
  seeds: [sealed, sealed.subarray(0, 33)],
  words: ['\x01', '\0', sealed.toString('latin1').slice(0, 5), sealed.toString('latin1').slice(-16)],
  run(input) {
    const opened = sealer.open(input, sealedAs);
    if (opened === undefined) return;
    assert(input.equals(sealed), 'bytes that nobody sealed');
    assert.equal(opened.toString('latin1'), 'a|i:1;');
    for (const other of [
      { ...sealedAs, version: 4 },
      { ...sealedAs, mtimeMs: 0 },
      { ...sealedAs, name: 'm'.repeat(43) as StoreName },
    ])
      assert.equal(sealer.open(input, other), undefined);
  },
};
