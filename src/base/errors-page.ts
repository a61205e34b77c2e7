/**
 * docs/errors.md, written from the two tables of this folder.
 */

import type { Side } from './close-reasons.ts';
import { closeReasons } from './close-reasons.ts';
import { errorKinds } from './errors.ts';

const sides: Readonly<Record<Side, string>> = {
  client: 'What the client did',
  upstream: 'What a pod or the application did',
  self: 'What Holdfast decided',
};

/** The whole page. */
export function errorsPage(): string {
  const parts = [
    `# Errors

This page is written from \`src/base/close-reasons.ts\` and \`src/base/errors.ts\`; \`make docs\` writes it again.

## Why an exchange ended without a complete answer

The name is in the access line (\`reason\`), in the metric \`holdfast_exchange_failures_total\` and in the body of the
answer. The status is what the client gets if its answer has not begun; without one the connection is closed.
`,
  ];
  for (const [side, title] of Object.entries(sides)) {
    parts.push(`### ${title}\n`, '| reason | status | |', '|---|---|---|');
    for (const [name, row] of Object.entries(closeReasons)) {
      if (row.side === side) parts.push(`| \`${name}\` | ${row.status ?? ''} | ${row.words} |`);
    }
    parts.push('');
  }
  parts.push('## Errors in the log, and at the start', '', '| kind | |', '|---|---|');
  for (const [kind, words] of Object.entries(errorKinds)) parts.push(`| \`${kind}\` | ${words} |`);
  return `${parts.join('\n')}\n`;
}
