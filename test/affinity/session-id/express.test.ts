import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'node:test';
import { createRequire } from 'node:module';
import { createSessionCodec } from '../../../src/affinity/preset-codec.ts';
import { expressDecoder } from '../../../src/affinity/session-id/express.ts';

/** The id of the corpus, signed as cookie-signature does. */
const id = '2o7sOpgMqMGWem0IxddjE0DkR3-jqUPS';
const signed = (text: string, secret: string) =>
  `s:${text}.${createHmac('sha256', secret).update(text).digest('base64').replace(/=+$/, '')}`;
const encoded = (text: string) => encodeURIComponent(text);

type Handler = (request: unknown, response: { end(text: string): void }, next: () => void) => void;
interface WithSession {
  session: { seen?: boolean };
  sessionID: string;
}

test('the cookie of a real express-session is read, in both directions', async (t) => {
  // Neither package brings types.
  const require = createRequire(import.meta.url);
  const express = require('express') as () => { use(handler: Handler): void };
  const session = require('express-session') as (options: object) => Handler;
  const application = express();
  application.use(session({ secret: ['new', 'old'], resave: false, saveUninitialized: true }));
  application.use((request, response) => response.end((request as WithSession).sessionID));
  const server = createServer(application as never).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));

  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const sid = await answer.text();
  const [line] = answer.headers.getSetCookie();
  const codec = createSessionCodec({ preset: 'express', cookie: undefined, keys: ['other', 'new'] });
  assert.equal(codec.cookieName, 'connect.sid');
  const change = codec.fromAnswer([line!], Date.now());
  assert.ok(change.kind === 'set');
  assert.equal(change.session, sid);
  assert.equal(change.attributes, ' Path=/; HttpOnly');
  assert.equal(codec.fromRequest(line!.split(';')[0]), sid);
});

test('any of the secrets may have signed', () => {
  const decoder = expressDecoder(['new', 'old']);
  assert.equal(decoder.decode(encoded(signed(id, 'new')), 'connect.sid')?.id, id);
  assert.equal(decoder.decode(encoded(signed(id, 'old')), 'connect.sid')?.id, id);
  assert.equal(decoder.decode(signed(id, 'old'), 'connect.sid')?.id, id);
});

test('unsigned, badly signed and misshapen cookies are no session', () => {
  const decoder = expressDecoder(['secret']);
  const good = signed(id, 'secret');
  const bad = [
    id,
    `s:${id}`,
    `s:${id}.`,
    good.slice(2),
    `j:${good.slice(2)}`,
    signed(id, 'wrong'),
    `${good}=`,
    good.slice(0, -1),
    signed('../../x', 'secret'),
    signed(`../${id.slice(3)}`, 'secret'),
    signed(`${id}a`, 'secret'),
    signed(`${id.slice(1)}.`, 'secret'),
    signed('', 'secret'),
    '',
  ];
  for (const value of bad) assert.equal(decoder.decode(encoded(value), 'connect.sid'), undefined, value);
});
