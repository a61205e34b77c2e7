/**
 * The frameworks that Debian does not have, or not as new: Laravel and CodeIgniter 4 as Composer brings them. Not part
 * of `make test`, which needs Debian's packages alone: `make frameworks`.
 */

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { applications } from '../support/applications.ts';
import type { Application } from '../support/applications.ts';
import { repositoryRoot } from '../support/processes.ts';
import { frameworkCase } from './framework-case.ts';

const vendor = process.env['COMPOSER_VENDOR'] ?? '';

const { laravel } = applications;

const newestLaravel: Application = {
  ...laravel,
  command(replica) {
    const { command } = laravel.command(replica);
    const env = { LARAVEL_STORAGE_PATH: replica.storage, COMPOSER_VENDOR: vendor, SESSION_LIFETIME: '1' };
    return { command, env };
  },
};

const codeigniter: Application = {
  preset: 'codeigniter',
  secretNames: [],
  traits: { cookie: 'ci_session', locks: true, regenerateDeletes: false },
  sessions: (storage) => join(storage, 'writable/session'),
  command({ port, storage }) {
    const framework = packageOf('codeigniter4/framework');
    for (const folder of ['app', 'public']) cpSync(join(framework, folder), join(storage, folder), { recursive: true });
    cpSync(join(repositoryRoot, 'examples/codeigniter/app'), join(storage, 'app'), { recursive: true });
    for (const folder of ['cache', 'logs']) mkdirSync(join(storage, 'writable', folder), { recursive: true });
    rmSync(join(storage, 'system'), { force: true });
    symlinkSync(join(framework, 'system'), join(storage, 'system'));
    const router = join(framework, 'system/rewrite.php');
    return {
      command: ['php', '-S', `127.0.0.1:${port}`, '-t', join(storage, 'public'), router],
      env: { CI_ENVIRONMENT: 'production' },
    };
  },
};

frameworkCase(`Laravel ${laravelVersion()}`, { application: () => newestLaravel });
frameworkCase(`CodeIgniter ${codeigniterVersion()}`, { application: () => codeigniter });

/** @throws Error saying what to do where it is not there. */
function packageOf(name: string): string {
  const folder = join(vendor, name);
  if (vendor === '' || !existsSync(folder)) {
    throw new Error(`${name} is missing: make frameworks, or COMPOSER_VENDOR=<a vendor directory that has it>`);
  }
  return folder;
}

function laravelVersion(): string {
  return versionIn(
    join(packageOf('laravel/framework'), 'src/Illuminate/Foundation/Application.php'),
    /VERSION = '(.+)'/,
  );
}

function codeigniterVersion(): string {
  return versionIn(join(packageOf('codeigniter4/framework'), 'system/CodeIgniter.php'), /CI_VERSION = '(.+)'/);
}

function versionIn(file: string, pattern: RegExp): string {
  return pattern.exec(readFileSync(file, 'utf8'))?.[1] ?? 'of unknown version';
}
