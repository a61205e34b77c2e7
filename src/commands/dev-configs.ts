/**
 * The configurations of a `holdfast dev`: what the user gave (file, flags, the application's own key), with the
 * addresses and directories of this run forced over it. The real loader reads them, so that dev can do nothing
 * that a deployment can't.
 *
 * Must not know processes.
 */

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { type Preset, presets } from '../affinity/session-codec.ts';
import type { GatewayConfig, SidecarConfig } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { formatProblem, type Tree } from '../config/problems.ts';
import type { ConfigOptions } from './load-or-complain.ts';

export interface DevOptions extends ConfigOptions {
  readonly replicas: number;
  /** 0: any free port. */
  readonly port: number;
  readonly preset: string | undefined;
  /** A replica that ended is started again after this long; undefined: when asked to. */
  readonly restartAfterMs: number | undefined;
  /** argv of a replica; `{port}`, `{sessions}` and `{replica}` are replaced. */
  readonly command: readonly string[];
}

export interface DevConfigs {
  readonly gateway: GatewayConfig;
  readonly sidecars: readonly SidecarConfig[];
}

interface Places {
  /** Three for each replica: application, sidecar, peer. */
  readonly ports: readonly number[];
  readonly folder: string;
}

/** @returns undefined where something is wrong; it has been said on standard error. */
export function devConfigs(options: DevOptions, places: Places): DevConfigs | undefined {
  const preset = options.preset ?? guessPreset(options.command);
  if (preset === undefined || !presets.some((known) => known === preset)) {
    const what = preset === undefined ? 'is needed' : `"${preset}" is unknown here`;
    process.stderr.write(`holdfast dev: --preset ${what}: one of ${presets.join(', ')}\n`);
    return undefined;
  }
  const given = options.set.find((flag) => isOfThisRun(flag));
  if (given !== undefined) {
    process.stderr.write(`holdfast dev: --set ${pathOf(given)}: dev decides that itself, for each of its parts\n`);
    return undefined;
  }
  const base = baseTree(preset, options);
  const numbers = Array.from({ length: options.replicas }, (_, index) => index);
  const pods = numbers.map((index) => `pod-${index + 1}=127.0.0.1:${places.ports[index * 3 + 1]}`);
  const gateway = load(options, base, [
    'role=gateway',
    `listen=127.0.0.1:${options.port}`,
    'admin=off',
    `pods=${JSON.stringify({ static: pods, sidecars: true })}`,
  ]);
  if (gateway?.role !== 'gateway') return undefined;
  const sidecars: SidecarConfig[] = [];
  for (const index of numbers) {
    const [application, data, peer] = places.ports.slice(index * 3, index * 3 + 3);
    const pod = join(places.folder, `pod-${index + 1}`);
    const directory = preset === 'laravel' ? join(pod, 'storage/framework/sessions') : join(pod, 'sessions');
    const sidecar = load(options, base, [
      'role=sidecar',
      `listen=127.0.0.1:${data}`,
      'admin=off',
      `peer={ listen: "127.0.0.1:${peer}" }`,
      `pod={ name: pod-${index + 1} }`,
      `application=127.0.0.1:${application}`,
      `sessions.directory=${JSON.stringify(directory)}`,
      `sessions.notes=${JSON.stringify(join(pod, 'notes'))}`,
    ]);
    // What is wrong with one is wrong with all, and is said once.
    if (sidecar?.role !== 'sidecar') return undefined;
    sidecars.push(sidecar);
  }
  return { gateway, sidecars };
}

/** What differs between the parts of a run, or that they have not: whoever gives it would wait for nothing. */
const ofThisRun = [
  'role',
  'listen',
  'admin',
  'adminToken',
  'probes',
  'workers',
  'pods',
  'pod',
  'peer',
  'application',
  'sessions.directory',
  'sessions.notes',
] as const;

function pathOf(flag: string): string {
  return flag.split('=', 1)[0] ?? '';
}

function isOfThisRun(flag: string): boolean {
  const path = pathOf(flag);
  return ofThisRun.some((own) => path === own || path.startsWith(`${own}.`));
}

/** Lines of the environment are not read, except where a value says `env:`: a shell for Kubernetes would get in. */
function load(options: DevOptions, base: Tree, forced: readonly string[]): GatewayConfig | SidecarConfig | undefined {
  const names = Object.entries(options.env).filter(([name]) => !name.startsWith('HOLDFAST_'));
  const loaded = loadConfig({
    configFile: options.configFile,
    base,
    set: ['health.interval=500ms', ...options.set, ...forced],
    environment: Object.fromEntries(names),
    dev: true,
  });
  if (loaded.kind === 'config') return loaded.config;
  for (const problem of loaded.problems) {
    const hint =
      problem.path === 'session.keys' ? '; dev takes it from APP_KEY or .env (laravel), SESSION_SECRET (express)' : '';
    process.stderr.write(`holdfast dev: ${formatProblem(problem)}${hint}\n`);
  }
  return undefined;
}

function baseTree(preset: string, options: DevOptions): Tree {
  const key = applicationKey(preset, options.env);
  return {
    session: { preset, ...(key === undefined ? {} : { keys: [key] }) },
    store: { url: 'memory:', key: storeKey },
    timeouts: { drain: '1s', drainDelay: '0s' },
  };
}

/** Nothing outlives the run, so its key need not either. */
const storeKey = randomBytes(32).toString('hex');

function applicationKey(preset: string, env: DevOptions['env']): string | undefined {
  if (preset === 'express') return env['SESSION_SECRET'];
  if (preset !== 'laravel') return undefined;
  return env['APP_KEY'] ?? keyOfEnvFile(join(process.cwd(), '.env'));
}

/** Laravel's own place for its key. */
function keyOfEnvFile(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  return /^\s*APP_KEY\s*=\s*"?([^"\s#]+)"?/m.exec(readFileSync(path, 'utf8'))?.[1];
}

function guessPreset(command: readonly string[]): Preset | undefined {
  if (command.some((word) => basename(word) === 'artisan')) return 'laravel';
  if (/^php[\d.]*$/.test(basename(command[0] ?? ''))) return 'php';
  return undefined;
}
