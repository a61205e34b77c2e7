/**
 * docs/errors.md, written from the tables of this folder.
 */

import type { Side } from './close-reasons.ts';
import { closeReasons } from './close-reasons.ts';
import { errorKinds } from './errors.ts';
import { storeAnswers } from './store-answers.ts';

const sides: Readonly<Record<Side, string>> = {
  client: 'What the client did',
  upstream: 'What a pod or the application did',
  self: 'What Holdfast decided',
};

/** The whole page. */
export function errorsPage(): string {
  const parts = [
    `# Errors

This page is written from \`src/base/close-reasons.ts\`, \`src/base/errors.ts\` and \`src/base/store-answers.ts\`;
\`make docs\` writes it again.

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
  parts.push(
    '',
    '## What the store answers, and what to do',
    '',
    'The first word is how Redis begins its error, or our name for a failure of TLS. Misconfigured: waiting cures nothing.',
    '',
    '| answer | misconfigured | |',
    '|---|---|---|',
  );
  for (const [code, { misconfigured, words }] of Object.entries(storeAnswers)) {
    parts.push(`| \`${code}\` | ${misconfigured ? 'yes' : 'no'} | ${words} |`);
  }
  return `${parts.join('\n')}\n`;
}
