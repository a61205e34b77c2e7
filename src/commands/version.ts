/** `holdfast version`. Must not know anything else: it is asked by scripts and has to be quick. */

import { readFileSync } from 'node:fs';

/** The package's version. */
export function readVersion(): string {
  // Beside src/ in the repository and beside dist/ in the package.
  const content: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const known = typeof content === 'object' && content !== null && 'version' in content ? content.version : undefined;
  return typeof known === 'string' ? known : 'unknown';
}

export function version(): number {
  process.stdout.write(`holdfast ${readVersion()} (node ${process.versions.node})\n`);
  return 0;
}
