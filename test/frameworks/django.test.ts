/**
 * Django's file sessions, under gunicorn with one process of several threads.
 */

import { join } from 'node:path';
import type { Application } from '../support/applications.ts';
import { repositoryRoot, requireFile } from '../support/processes.ts';
import { frameworkCase } from './framework-case.ts';
import { gunicorn } from './gunicorn.ts';

const django: Application = {
  preset: 'django',
  secretNames: [],
  traits: { cookie: 'sessionid', locks: false, regenerateDeletes: true },
  sessions: (storage) => join(storage, 'sessions'),
  command(replica) {
    requireFile('/usr/lib/python3/dist-packages/django', 'python3-django');
    return gunicorn(join(repositoryRoot, 'examples/django'), 'app:application', replica);
  },
};

frameworkCase('Django with file sessions', { application: () => django });
