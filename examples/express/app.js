// Express with file sessions: PORT=8000 SESSIONS=./sessions SESSION_SECRET=... node app.js
// An ordinary application; nothing in it knows who stands in front.

import { createHash, randomBytes } from 'node:crypto';
import express from 'express';
import session from 'express-session';
import sessionFileStore from 'session-file-store';

const port = Number(process.env.PORT ?? 8000);
const secret = process.env.SESSION_SECRET;
/** While the secret is being changed: the other one of the two. */
const former = process.env.SESSION_SECRET_FORMER;
if (secret === undefined || secret === '') {
  console.error('SESSION_SECRET is not set.');
  process.exit(1);
}

const FileStore = sessionFileStore(session);
const app = express();
app.disable('x-powered-by');
app.use(
  session({
    store: new FileStore({
      path: process.env.SESSIONS ?? './sessions',
      ttl: 7200,
      retries: 0,
      logFn: () => undefined,
    }),
    // The first signs, all verify.
    secret: former === undefined ? secret : [secret, former],
    resave: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: 'lax', maxAge: 7_200_000 },
  }),
);

/** The visitor's number, one higher with every call. */
function next(request) {
  request.session.count = (request.session.count ?? 0) + 1;
  return request.session.count;
}

function limited(value, { fallback, max }) {
  const given = Number(value ?? fallback);
  return Number.isFinite(given) ? Math.max(0, Math.min(max, given)) : fallback;
}

app.get('/', (request, response) => {
  request.session.visits = (request.session.visits ?? 0) + 1;
  response.type('html').send(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Express</title>
<style>body { font: 17px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1rem }</style>
<h1>Express</h1>
<p>Visits: <strong id="visits">${request.session.visits}</strong></p>
<form method="post" action="/cart"><p>In the cart: <output id="cart">${request.session.cart ?? 0}</output> <button>Add one</button></p></form>
`);
});
app.post('/cart', (request, response, fail) => {
  request.session.cart = (request.session.cart ?? 0) + 1;
  request.session.save((error) => (error ? fail(error) : response.redirect('/')));
});
app.get('/inc', (request, response) => response.type('text').send(String(next(request))));
app.get('/get', (request, response) => response.type('text').send(String(request.session.count ?? 0)));
app.get('/id', (request, response) => response.type('text').send(request.sessionID));
app.get('/who', (request, response) => response.type('text').send(`${process.pid} ${port}`));

// A new id for the same visitor; express-session deletes the old session.
for (const path of ['/login', '/regenerate']) {
  app.get(path, (request, response, fail) => {
    const { cookie: _old, ...kept } = request.session;
    request.session.regenerate((error) => {
      if (error) return fail(error);
      Object.assign(request.session, kept);
      if (path === '/login') request.session.user = String(request.query.user ?? 'ada');
      response.type('text').send(String(next(request)));
    });
  });
}
app.get('/logout', (request, response, fail) => {
  request.session.destroy((error) => {
    if (error) return fail(error);
    response.clearCookie('connect.sid').type('text').send('bye');
  });
});

// As express-session's page advises: save before a redirect, which browsers follow before its body has ended.
app.get('/redirect', (request, response, fail) => {
  next(request);
  request.session.save((error) => (error ? fail(error) : response.redirect('/get')));
});
app.get('/slow', (request, response) => {
  const number = next(request);
  setTimeout(
    () => response.type('text').send(String(number)),
    limited(request.query.ms, { fallback: 500, max: 60_000 }),
  );
});
app.get('/big', (request, response) => {
  const bytes = 1024 * limited(request.query.kb, { fallback: 64, max: 16_384 });
  request.session.ballast = randomBytes(Math.ceil(bytes / 2))
    .toString('hex')
    .slice(0, bytes);
  response.type('text').send(String(next(request)));
});
app.get('/stream', (request, response) => {
  const lines = Math.max(1, limited(request.query.n, { fallback: 5, max: 1000 }));
  const pauseMs = limited(request.query.ms, { fallback: 50, max: 5000 });
  response.type('text').write(`${next(request)}\n`);
  let line = 1;
  const timer = setInterval(() => {
    if (line < lines) return response.write(`line ${line++}\n`);
    clearInterval(timer);
    response.end();
  }, pauseMs);
  response.on('close', () => clearInterval(timer));
});
app.post('/upload', (request, response, fail) => {
  const hash = createHash('sha256');
  let bytes = 0;
  request.on('data', (data) => {
    hash.update(data);
    bytes += data.length;
  });
  request.on('error', fail);
  request.on('end', () => {
    request.session.uploads = (request.session.uploads ?? 0) + 1;
    response.type('text').send(`${bytes} ${hash.digest('hex')}`);
  });
});

const server = app.listen(port, process.env.HOST ?? '127.0.0.1', (error) => {
  if (error) throw error;
  console.log(`listening on ${port}`);
});
process.on('SIGTERM', () => server.close(() => process.exit(0)));
