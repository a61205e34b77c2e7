/**
 * What every command that reads the configuration does first: load it, or say on standard error everything
 * that is wrong with it.
 */

import type { Config } from '../config/config.ts';
import { loadConfig, type LoadedConfig } from '../config/load.ts';
import { formatProblem } from '../config/problems.ts';

export interface ConfigOptions {
  readonly configFile?: string | undefined;
  readonly set: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** @returns undefined where there are problems; they have been printed, and the exit code is 1. */
export function loadOrComplain(
  options: ConfigOptions,
  hears: { readonly warn?: (words: string) => void } = {},
): Config | undefined {
  return loadedOrComplain(options, hears)?.config;
}

/** As loadOrComplain(), with what it was made of. */
export function loadedOrComplain(
  options: ConfigOptions,
  { warn }: { readonly warn?: (words: string) => void },
): LoadedConfig | undefined {
  const loaded = loadConfig({ configFile: options.configFile, set: options.set, environment: options.env });
  if (loaded.kind === 'config') {
    for (const warning of loaded.warnings) warn?.(formatProblem(warning));
    return loaded;
  }
  const { problems } = loaded;
  process.stderr.write(
    `The configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n`,
  );
  for (const problem of problems) process.stderr.write(`  ${formatProblem(problem)}\n`);
  if (options.configFile === undefined) process.stderr.write('No file was read: --config FILE names one.\n');
  return undefined;
}
