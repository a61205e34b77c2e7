/**
 * Flask with Flask-Session's files (cachelib), under gunicorn: with the id itself in the cookie, and signed.
 */

import { join } from 'node:path';
import type { Application } from '../support/applications.ts';
import { repositoryRoot, requireFile } from '../support/processes.ts';
import { frameworkCase } from './framework-case.ts';
import { gunicorn } from './gunicorn.ts';

function flask(isSigned: boolean): Application {
  return {
    preset: 'flask',
    secretNames: isSigned ? ['SESSION_SECRET'] : [],
    traits: { cookie: 'session', locks: false, regenerateDeletes: true },
    sessions: (storage) => join(storage, 'sessions'),
    command(replica) {
      requireFile('/usr/lib/python3/dist-packages/flask_session', 'python3-flask-session');
      requireFile('/usr/lib/python3/dist-packages/cachelib', 'python3-cachelib');
      const env = { SESSION_USE_SIGNER: isSigned ? '1' : '0' };
      return gunicorn(join(repositoryRoot, 'examples/flask'), 'app:app', replica, env);
    },
  };
}

frameworkCase('Flask with Flask-Session', { application: () => flask(false) });
frameworkCase('Flask with Flask-Session, signed', { application: () => flask(true) });
