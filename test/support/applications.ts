/**
 * How the example applications are started for tests, and what a checker must know about each.
 *
 * Must not know Holdfast beyond the name of the preset that an operator would choose.
 */

import { join } from 'node:path';
import type { Preset } from '../../src/affinity/session-codec.ts';
import { nodeProgram, repositoryRoot, requireFile } from './processes.ts';
import type { ApplicationTraits } from './session-checker.ts';

export type ApplicationName = 'laravel' | 'plain-php' | 'express';

export interface Application {
  readonly preset: Preset;
  /** The secrets its session cookies are made with, as the environment has them. */
  readonly secretNames: readonly string[];
  readonly traits: ApplicationTraits;
  /** Where its session files are, under the storage directory of one replica. */
  sessions(storage: string): string;
  /** @throws Error naming the Debian package where a needed one is not installed. */
  command(replica: Replica): { readonly command: readonly [string, ...string[]]; readonly env: Record<string, string> };
}

export interface Replica {
  readonly port: number;
  readonly storage: string;
}

/** Fixed, so that restarted replicas read each other's cookies. */
export const applicationSecrets: Readonly<Record<string, string>> = {
  APP_KEY: `base64:${Buffer.from('an example key of 32 bytes, open').toString('base64')}`,
  SESSION_SECRET: 'an example secret that is open to all',
};

const examples = join(repositoryRoot, 'examples');

export const applications: Readonly<Record<ApplicationName, Application>> = {
  laravel: {
    preset: 'laravel',
    secretNames: ['APP_KEY'],
    traits: { cookie: 'laravel_session', locks: false, regenerateDeletes: false },
    sessions: (storage) => join(storage, 'framework/sessions'),
    command({ port, storage }) {
      requireFile('/usr/share/php/Illuminate/autoload.php', 'php-laravel-framework');
      return {
        command: ['php', '-S', `127.0.0.1:${port}`, join(examples, 'laravel/server.php')],
        env: { LARAVEL_STORAGE_PATH: storage },
      };
    },
  },
  'plain-php': {
    preset: 'php',
    secretNames: [],
    traits: { cookie: 'PHPSESSID', locks: true, regenerateDeletes: false },
    sessions: (storage) => join(storage, 'sessions'),
    command: ({ port, storage }) => ({
      command: [
        'php',
        '-d',
        `session.save_path=${join(storage, 'sessions')}`,
        '-S',
        `127.0.0.1:${port}`,
        join(examples, 'plain-php/index.php'),
      ],
      env: {},
    }),
  },
  express: {
    preset: 'express',
    secretNames: ['SESSION_SECRET'],
    traits: { cookie: 'connect.sid', locks: false, regenerateDeletes: true },
    sessions: (storage) => join(storage, 'sessions'),
    command: ({ port, storage }) => ({
      command: [nodeProgram, join(examples, 'express/app.js')],
      env: { PORT: String(port), SESSIONS: join(storage, 'sessions') },
    }),
  },
};
