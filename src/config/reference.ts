/**
 * docs/configuration.md, written from the schema: whoever adds a key has documented it, or the test fails.
 *
 * Must not know anything that the schema does not say.
 */

import type { Key } from './keys.ts';
import { keys, keysBelow } from './keys.ts';
import { listenEntry } from './listen-schema.ts';
import { needsRestart, needsRestartOfAll } from './live-keys.ts';
import { roleKeys } from './schema.ts';

const introduction = `# Configuration

This page is written from the schema (\`src/config/schema.ts\`); \`make docs\` writes it again.

One YAML file (JSON is YAML), then the environment, then flags; later ones win. All problems are reported at once,
each with its key's path, and end the process with exit code 1. \`holdfast check --config FILE\` does only that.

- **Environment**: \`HOLDFAST_\` and the key's path in capitals, with \`_\` at dots and at inner capitals; the value is
  YAML. Names of no key are ignored. A variable that the file refers to by \`env:\` is a secret's source and does not
  replace a key, whatever it is called.
- **Flags**: \`--set path=value\`, as often as needed; the value is YAML.
- **Secrets**: \`env:NAME\` and \`file:PATH\` may stand for any text. The line feed at a file's end is not part of it.
  A secret has at least 16 bytes; \`base64:...\` is decoded.
- **Durations**: \`500ms\`, \`10s\`, \`5m\`, \`2h\`, \`1d\`. **Sizes**: bytes, or \`32k\`, \`1m\`, \`1g\`; k is 1024.
- **Changes**: the file, and every file that it names by \`file:PATH\`, may change while the process runs
  ([operations](operations.md#change-the-configuration)). The column *change* says when a key's new value counts:
  \`live\` at once; \`workers\` at once with \`workers: 2\` or more, else at the next start; \`restart\` at the next start.
- One file may serve both roles: the other role's sections are checked for their names and otherwise left alone.
`;

const listenIntroduction = `## An entry of \`listen\`

\`HOST:PORT\`, or a mapping of these keys. One entry, or a list:

\`\`\`yaml
trustedProxies: [10.0.0.0/8]
listen:
  - 0.0.0.0:8080
  - { address: "0.0.0.0:8081", proxyProtocol: true }
  - address: 0.0.0.0:8443
    tls: { certificate: "file:/tls/tls.crt", key: "file:/tls/tls.key" }
\`\`\`
`;

const exceptions = `## What has to be there

- Role gateway: one of \`pods.static\`, \`pods.dns\` and \`pods.kubernetes\`, and \`session.preset\`; \`store.key\` unless \`pods.sidecars\` is false; \`affinity.pinKey\`
  or \`store.key\` for the pin cookie.
- Role sidecar: \`application\`, \`sessions.directory\`, \`pod.name\`, \`session.preset\`, \`store.key\`, and a \`store.url\`
  that outlives the pod: \`memory:\` is refused, because sessions would die with the pod that they are to outlive.
- Presets laravel and express: \`session.keys\`. Preset plain: \`session.cookie\`.
- A \`store.key\` list: \`store.nameKey\`.
`;

/** The whole page. */
export function configurationPage(): string {
  const top = (key: Key): string => key.path.split('.', 1)[0] ?? '';
  const gateway = keys.filter((key) => roleKeys.gateway.includes(top(key)));
  const sidecar = keys.filter((key) => roleKeys.sidecar.includes(top(key)));
  const both = keys.filter((key) => !gateway.includes(key) && !sidecar.includes(key));
  return [
    introduction,
    `## Both roles\n\n${table(both, 'workers')}`,
    `${listenIntroduction}\n${table(keysBelow(listenEntry, ''), undefined)}`,
    `## Role gateway\n\n${table(gateway, 'workers')}`,
    `## Role sidecar\n\n${table(sidecar, 'restart')}`,
    exceptions,
  ].join('\n');
}

/** @param others when a key counts that is not `live`; undefined: keys that do not stand for themselves. */
function table(rows: readonly Key[], others: 'workers' | 'restart' | undefined): string {
  const head = others === undefined ? ['', ''] : [' change |', '---|'];
  const lines = rows
    .filter((key) => !key.branch)
    .map((key) => row(key) + (others === undefined ? '' : ` ${change(key.path, others)} |`));
  return [`| key | value | default | |${head[0]}`, `|---|---|---|---|${head[1]}`, ...lines, ''].join('\n');
}

function change(path: string, others: string): string {
  if (!needsRestart(path)) return 'live';
  return needsRestartOfAll(path) ? 'restart' : others;
}

function row(key: Key): string {
  const standard = key.standard === undefined ? '' : `\`${shown(key.standard)}\``;
  return `| \`${key.path}\` | ${key.kind} | ${standard} | ${key.words} |`;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
