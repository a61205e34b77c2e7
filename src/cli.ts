#!/usr/bin/env node
/**
 * From arguments to a command, and from its end to an exit code: 0 done, 1 bad configuration or arguments (do
 * not restart), 2 failed while running. The only place that exits.
 *
 * Each command is loaded when it is called, so that `version` does not wait for what `run` needs.
 */

import { Command, CommanderError } from 'commander';
import type { InjectorFlags } from './commands/injector.ts';
import type { ConfigOptions } from './commands/load-or-complain.ts';
import { presets } from './affinity/session-codec.ts';
import { readVersion } from './commands/version.ts';

interface CommonFlags {
  readonly config?: string;
  readonly set?: readonly string[];
}

interface ImportFlags {
  readonly dryRun?: boolean;
  readonly owner?: number;
}

interface InjectFlags {
  readonly file: string;
  readonly image?: string;
  readonly default?: readonly string[];
}

interface DevFlags {
  readonly replicas: number;
  readonly port: number;
  readonly preset?: string;
  readonly restartAfter?: number;
}

let exitCode = 0;

const program = new Command('holdfast')
  .description('Keeps web sessions alive when the pod that holds them goes away.')
  .version(readVersion(), '-V, --version')
  .exitOverride()
  .configureHelp({ sortSubcommands: false })
  .addHelpText(
    'after',
    '\nExit codes: 0 done, 1 bad configuration or arguments, 2 failed while running.\nEvery key of the configuration: docs/configuration.md.',
  )
  .showHelpAfterError('(holdfast --help says more)');

configured(program.command('run'))
  .description('run as a gateway or a sidecar, as the configuration says')
  .action(async (flags: CommonFlags) => {
    const { run } = await import('./commands/run.ts');
    exitCode = await run(asOptions(flags));
  });

program
  .command('worker', { hidden: true })
  .description('one of several workers; started by run')
  .action(async () => {
    const { worker } = await import('./commands/worker.ts');
    exitCode = await worker();
  });

configured(program.command('dev'))
  .description('run replicas of a command on this machine, with everything around them in one process')
  .option('--replicas <n>', 'how many replicas', wholeNumber, 3)
  .option('--port <port>', 'where to listen; 0: any free port', wholeNumber, 8080)
  .option('--restart-after <ms>', 'start a replica that ended again by itself, after so many milliseconds', wholeNumber)
  .option('--preset <preset>', `the framework of the sessions: ${presets.join(', ')}; found by itself where possible`)
  .argument('<command...>', 'behind --; {port}, {sessions} and {replica} are replaced')
  .action(async (command: string[], flags: CommonFlags & DevFlags) => {
    const { dev } = await import('./commands/dev.ts');
    const { replicas, port, preset, restartAfter } = flags;
    exitCode = await dev({ ...asOptions(flags), replicas, port, preset, restartAfterMs: restartAfter, command });
  });

configured(program.command('check'))
  .description('say whether the configuration can be used, and everything that is wrong with it')
  .action(async (flags: CommonFlags) => {
    const { check } = await import('./commands/check.ts');
    exitCode = check(asOptions(flags));
  });

configured(program.command('where'))
  .description('say which pod has a session, and why')
  .argument('<session>', 'its id, or the value of its cookie; - reads it from standard input')
  .option('--json', 'as JSON')
  .action(async (session: string, flags: CommonFlags & { json?: boolean }) => {
    const { where } = await import('./commands/where.ts');
    exitCode = await where({ ...asOptions(flags), session, json: flags.json ?? false });
  });

configured(program.command('drain'))
  .description('let the sessions of the running process go, and wait until they are stored (for a preStop)')
  .option('--unready', 'by hand: not ready from now on, instead of when the application ends')
  .option('--socket <path>', "the process's admin socket; no configuration is read then, which is quicker")
  .action(async (flags: CommonFlags & { unready?: boolean; socket?: string }) => {
    const { unready = false, socket } = flags;
    if (socket !== undefined) {
      const { drainAt } = await import('./commands/drain-socket.ts');
      exitCode = await drainAt(socket, { unready });
      return;
    }
    const { drain } = await import('./commands/drain.ts');
    exitCode = await drain({ ...asOptions(flags), unready });
  });

configured(program.command('import'))
  .description('store the session files of an installation, so that its users stay logged in when Holdfast takes over')
  .argument('<directory>', "the application's session directory; PHP's N;MODE;/path too")
  .option('--dry-run', 'read everything and say what would be imported, but store nothing')
  .option('--owner <uid>', 'whose files are sessions (the user who has most of them)', userId)
  .action(async (directory: string, flags: CommonFlags & ImportFlags) => {
    const { importSessions } = await import('./commands/import.ts');
    const { dryRun = false, owner } = flags;
    exitCode = await importSessions({ ...asOptions(flags), directory, dryRun, owner });
  });

program
  .command('inject')
  .description('add sidecars to the pods of a YAML file that ask for one (docs/injector.md)')
  .requiredOption('-f, --file <file>', 'what would be applied; - reads it from standard input')
  .option('--image <image>', "the sidecars' image")
  .option('--default <name=value>', 'an annotation that holds where a pod says nothing', collect)
  .action(async (flags: InjectFlags) => {
    const { inject } = await import('./commands/inject.ts');
    exitCode = await inject({ file: flags.file, image: flags.image, defaults: flags.default ?? [] });
  });

program
  .command('injector')
  .description('add sidecars to the pods of a cluster that ask for one: an admission webhook (docs/injector.md)')
  .option('--image <image>', "the sidecars' image; needed")
  .option('--default <name=value>', 'an annotation that holds where a pod says nothing', collect)
  .option('--listen <address>', 'where the API server asks', '0.0.0.0:8443')
  .option('--probes <address>', 'where the kubelet and Prometheus ask', '0.0.0.0:9903')
  .option('--service <name>', 'the Service that leads here', 'holdfast-injector')
  .option('--webhook <name>', 'the MutatingWebhookConfiguration', 'holdfast-injector')
  .option('--secret <name>', 'where the certificate is kept', 'holdfast-injector-certificate')
  .option('--certificate-days <days>', 'its life; it is exchanged after two thirds', days, 90)
  .option('--certificate <file>', 'one of somebody else (cert-manager), read again when it changes; none is made')
  .option('--key <file>', 'its key')
  .option('--log-level <level>', 'debug, info, warn, error', 'info')
  .action(async (flags: InjectorFlags) => {
    const { injector } = await import('./commands/injector.ts');
    exitCode = await injector(flags);
  });

program
  .command('version')
  .description('print the version')
  .action(async () => {
    const { version } = await import('./commands/version.ts');
    exitCode = version();
  });

try {
  await program.parseAsync();
} catch (error) {
  exitCode = failure(error);
}
process.exit(exitCode);

function configured(command: Command): Command {
  return command
    .option('-c, --config <file>', 'the configuration, YAML or JSON (or HOLDFAST_CONFIG)')
    .option('--set <path=value>', 'one key, such as log.level=debug; as often as needed', collect);
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function asOptions(flags: CommonFlags): ConfigOptions {
  return {
    configFile: flags.config ?? (process.env['HOLDFAST_CONFIG'] || undefined),
    set: flags.set ?? [],
    env: process.env,
  };
}

function wholeNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new CommanderError(1, 'holdfast.number', `error: "${text}" is not a whole number`);
  return Number(text);
}

function days(text: string): number {
  if (!/^\d{1,4}(?:\.\d{1,6})?$/.test(text) || Number(text) === 0) {
    throw new CommanderError(1, 'holdfast.number', `error: "${text}" is no number of days`);
  }
  return Number(text);
}

function userId(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new CommanderError(1, 'holdfast.number', `error: "${text}" is no user id`);
  return Number(text);
}

/** Help and version end with 0, bad arguments with 1; anything else is a fault of ours. */
function failure(error: unknown): number {
  if (!(error instanceof CommanderError)) {
    process.stderr.write(`holdfast: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  if (error.code === 'holdfast.number') process.stderr.write(`${error.message}\n`);
  return error.exitCode === 0 ? 0 : 1;
}
