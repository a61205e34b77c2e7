/**
 * Symfony with its own sessions in files (NativeFileSessionHandler), from Debian's packages.
 */

import { join } from 'node:path';
import type { Application } from '../support/applications.ts';
import { repositoryRoot, requireFile } from '../support/processes.ts';
import { frameworkCase } from './framework-case.ts';

const symfony: Application = {
  preset: 'symfony',
  secretNames: [],
  // Its handler is PHP's own, which holds the lock until the session is saved.
  traits: { cookie: 'PHPSESSID', locks: true, regenerateDeletes: false },
  sessions: (storage) => join(storage, 'sessions'),
  command({ port, storage }) {
    requireFile('/usr/share/php/Symfony/Bundle/FrameworkBundle/autoload.php', 'php-symfony-framework-bundle');
    return {
      command: ['php', '-S', `127.0.0.1:${port}`, join(repositoryRoot, 'examples/symfony/index.php')],
      env: { SESSIONS: join(storage, 'sessions'), CACHE: storage },
    };
  },
};

frameworkCase('Symfony 5.4', { application: () => symfony });
