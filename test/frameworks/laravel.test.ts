/**
 * Laravel with its own sessions in files, from Debian's packages.
 */

import { applications } from '../support/applications.ts';
import type { Application } from '../support/applications.ts';
import { frameworkCase } from './framework-case.ts';

const { laravel } = applications;

/** Its cookie's life, in minutes, would else raise the session's above what the case configures (rules 32). */
const shortLived: Application = {
  ...laravel,
  command(replica) {
    const { command, env } = laravel.command(replica);
    return { command, env: { ...env, SESSION_LIFETIME: '1' } };
  },
};

frameworkCase('Laravel 8', { application: () => shortLived });
