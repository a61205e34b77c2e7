/**
 * What gateway and sidecar have in common before they differ: log, metrics, clock, and the session's names.
 *
 * Must not know roles.
 */

import type { SessionId } from '../affinity/session-codec.ts';
import type { CookieNotice } from '../affinity/cookie-choice.ts';
import { createSessionCodec, type RekeyableCodec } from '../affinity/preset-codec.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import { SessionDigest } from '../base/session-digest.ts';
import type { Config } from '../config/config.ts';

export interface ProcessParts {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** The session cookie's codec; what it finds out is logged once. */
export function openCodec(config: Config, { log, metrics }: ProcessParts): RekeyableCodec {
  const { preset } = config.session;
  const notices = metrics.counter({
    name: 'session_cookie_notices_total',
    help: 'What was noticed about the session cookie: its name was found out, another cookie decodes, or it does not decode.',
    labels: ['kind'],
  });
  return createSessionCodec({
    preset,
    cookie: config.session.cookie,
    keys: codecKeys(config.session),
    notice: (notice) => {
      notices.child(notice.kind).value++;
      tellNotice(notice, config.session, log);
    },
  });
}

/** As the codec takes them: an APP_KEY is bytes, a secret that signs is text. */
export function codecKeys({ preset, keys }: Config['session']): readonly string[] {
  return keys.map((key) => (preset === 'laravel' ? `base64:${key.toString('base64')}` : key.toString('utf8')));
}

function tellNotice(notice: CookieNotice, { preset, keys }: Config['session'], log: Log): void {
  switch (notice.kind) {
    case 'cookie-chosen':
      log.info({ name: notice.cookie }, 'the session cookie was found out');
      break;
    case 'cookie-missing':
      log.warn({ notice: notice.kind }, 'answers bear another session cookie than the configured one');
      break;
    case 'cookie-unreadable': {
      const why =
        keys.length === 0
          ? `its value is none of preset ${preset}`
          : `session.keys are not those of the application, or it is none of preset ${preset}`;
      // Nobody waits this out: no session of the application is kept until somebody has changed something.
      log.error(
        { name: notice.cookie, why },
        'the application sets a session cookie that can not be read; its sessions are not kept',
      );
    }
  }
}

/** The keyed digest of a session for logs: the same in all processes that share store.nameKey. */
export function openDigest(config: Config): (session: SessionId) => string {
  const digest = new SessionDigest(config.store.nameKey);
  return (session) => digest.of(session);
}
