/**
 * The table of presets: cookie by default, keys, decoder and exact id shape.
 *
 * Must not know requests or answers.
 */

import { HoldfastError } from '../../base/errors.ts';
import type { Preset, SessionId } from '../session-codec.ts';
import type { SessionIdDecoder, SessionIdShape } from './decoder.ts';
import { djangoDecoder, djangoShape } from './django.ts';
import { expressDecoder, expressShape } from './express.ts';
import { flaskDecoder, flaskShape } from './flask.ts';
import { jsessionidDecoder, jsessionidShape } from './jsessionid.ts';
import { laravelDecoder, laravelKeyBytes, laravelShape } from './laravel.ts';
import * as plain from './plain.ts';

interface PresetRow {
  /** Undefined: `laravel` finds it (rules 26), `plain` must be given one. */
  readonly cookie: string | undefined;
  /** 'may-sign': the cookie is signed where secrets are given. */
  readonly keys: 'none' | 'app-keys' | 'secrets' | 'may-sign';
  readonly shape: SessionIdShape;
  decoder(keys: readonly string[]): SessionIdDecoder;
}

const rows: Readonly<Record<Preset, PresetRow>> = {
  laravel: {
    cookie: undefined,
    keys: 'app-keys',
    shape: laravelShape,
    decoder: (keys) => laravelDecoder(keys.map(laravelKeyBytes).filter((key) => key !== undefined)),
  },
  express: { cookie: 'connect.sid', keys: 'secrets', shape: expressShape, decoder: expressDecoder },
  php: withoutKeys('PHPSESSID', plain.phpShape, plain.phpDecoder),
  symfony: withoutKeys('PHPSESSID', plain.symfonyShape, plain.symfonyDecoder),
  codeigniter: withoutKeys('ci_session', plain.codeigniterShape, plain.codeigniterDecoder),
  django: withoutKeys('sessionid', djangoShape, djangoDecoder),
  flask: { cookie: 'session', keys: 'may-sign', shape: flaskShape, decoder: flaskDecoder },
  jsessionid: withoutKeys('JSESSIONID', jsessionidShape, jsessionidDecoder),
  plain: withoutKeys(undefined, plain.plainShape, plain.plainValueDecoder),
};

/** What is wrong with a `session` block, each with the key's last name: `{ key: 'cookie', problem: '...' }`. */
export function presetProblems(
  preset: Preset,
  given: { readonly cookie: string | undefined; readonly keys: readonly string[] },
): { readonly key: 'cookie' | 'keys'; readonly problem: string }[] {
  const row = rows[preset];
  const problems: { key: 'cookie' | 'keys'; problem: string }[] = [];
  if (given.cookie === undefined ? preset === 'plain' : !isToken(given.cookie)) {
    problems.push({
      key: 'cookie',
      problem: given.cookie === undefined ? 'plain needs the cookie to be named' : 'is not a cookie name',
    });
  }
  if ((row.keys === 'app-keys' || row.keys === 'secrets') && given.keys.length === 0) {
    problems.push({
      key: 'keys',
      problem: `${preset} needs the application's ${row.keys === 'secrets' ? 'secret' : 'APP_KEY'}`,
    });
  }
  if (row.keys === 'app-keys' && given.keys.some((key) => laravelKeyBytes(key) === undefined)) {
    problems.push({ key: 'keys', problem: 'an APP_KEY has 16 or 32 bytes, usually written base64:...' });
  }
  if ((row.keys === 'secrets' || row.keys === 'may-sign') && given.keys.includes(''))
    problems.push({ key: 'keys', problem: 'a secret is empty' });
  return problems;
}

/** The cookie a preset uses where none is configured; undefined: found out from the traffic. */
export function defaultCookie(preset: Preset): string | undefined {
  return rows[preset].cookie;
}

/** @throws HoldfastError 'bad-configuration' for what presetProblems finds. */
export function presetDecoder(
  preset: Preset,
  given: { readonly cookie: string | undefined; readonly keys: readonly string[] },
): SessionIdDecoder {
  const [first] = presetProblems(preset, given);
  if (first !== undefined) throw new HoldfastError('bad-configuration', `session.${first.key}: ${first.problem}`);
  return rows[preset].decoder(given.keys);
}

/** An id as a person or a directory listing gives it; undefined: not of this preset's exact shape. */
export function parseSessionId(preset: Preset, text: string): SessionId | undefined {
  return rows[preset].shape(text);
}

function withoutKeys(cookie: string | undefined, shape: SessionIdShape, decoder: SessionIdDecoder): PresetRow {
  return { cookie, keys: 'none', shape, decoder: () => decoder };
}

/** A cookie's name is a token (RFC 6265 section 4.1.1). */
function isToken(text: string): boolean {
  return /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/.test(text);
}
