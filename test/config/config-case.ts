/** A configuration written to a file and loaded, for the tests of config/. */

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config, GatewayConfig, SidecarConfig } from '../../src/config/config.ts';
import type { Loaded } from '../../src/config/load.ts';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problems.ts';

export interface Case {
  readonly yaml: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly set?: readonly string[];
  readonly dev?: boolean;
}

export const secret = 'a-store-key-of-32-bytes-for-tests';

/** The smallest gateway before sidecars that can be used. */
export const gateway = `
role: gateway
session: { preset: php }
store: { url: "redis://redis:6379", key: "${secret}" }
pods: { static: [pod-a=10.1.0.4:8080] }
`;

/** The smallest sidecar that can be used. */
export const sidecar = `
role: sidecar
session: { preset: php }
store: { url: "redis://redis:6379", key: "${secret}" }
pod: { name: pod-a }
application: 127.0.0.1:9000
sessions: { directory: /sessions }
`;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-config-'));
let files = 0;

/** The path of a new temporary file with that content. */
export function temporaryFile(content: string): string {
  const path = join(folder, `${files++}.yaml`);
  writeFileSync(path, content);
  return path;
}

export function load(given: Case): Loaded {
  const { yaml, environment = {}, set = [], dev = false } = given;
  return loadConfig({ configFile: temporaryFile(yaml), environment, set, dev });
}

/** @throws Error with the problems where there are any. */
export function config(given: Case): Config {
  const loaded = load(given);
  if (loaded.kind === 'config') return loaded.config;
  throw new Error(loaded.problems.map(formatProblem).join('\n'));
}

export function gatewayConfig(given: Case): GatewayConfig {
  const read = config(given);
  if (read.role === 'gateway') return read;
  throw new Error('that is no gateway');
}

export function sidecarConfig(given: Case): SidecarConfig {
  const read = config(given);
  if (read.role === 'sidecar') return read;
  throw new Error('that is no sidecar');
}

/** The problems, formatted and sorted by path; none is an empty list. */
export function problems(given: Case): readonly string[] {
  const loaded = load(given);
  return loaded.kind === 'config' ? [] : loaded.problems.map(formatProblem).sort();
}
