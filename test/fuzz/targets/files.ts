/** What lies on disks: names of files, notes, and configuration. Nothing of it may throw, or name a file elsewhere. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { presets, type SessionId } from '../../../src/affinity/session-codec.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { Notes } from '../../../src/sessions/notes.ts';
import { fileNameOf, parseSavePath, sessionOf } from '../../../src/sessions/session-name.ts';
import type { Target } from '../fuzzer.ts';

/** One for the process, made when it is needed first. */
const folder = {
  path: undefined as string | undefined,
  join(name: string): string {
    if (this.path === undefined) {
      const made = mkdtempSync(join(tmpdir(), 'holdfast-fuzz-'));
      process.once('exit', () => rmSync(made, { recursive: true, force: true }));
      this.path = made;
    }
    return join(this.path, name);
  },
};

export const names: Target = {
  name: 'names',
  seeds: [
    'sess_abc',
    'A'.repeat(40),
    `${'a'.repeat(32)}.json`,
    `sessionid${'a'.repeat(32)}`,
    `ci_session${'0'.repeat(32)}`,
    `${'0A'.repeat(16)}.session`,
    'x.y',
    '2;0700;/var/lib/php',
    '../../etc/passwd',
    'sess_..',
  ],
  words: [
    'sess_',
    '.json',
    '.session',
    '/',
    '..',
    '.',
    '\0',
    '%2f',
    '\\',
    ';',
    '5;',
    '0777;',
    'sessionid',
    'a'.repeat(250),
  ],
  run(input) {
    const text = input.toString('utf8');
    for (const preset of presets) {
      const session = sessionOf(preset, text);
      if (session !== undefined) assert.equal(fileNameOf(preset, session), text, 'both ways');
      const name = fileNameOf(preset, text as SessionId);
      if (name === undefined) continue;
      assert(/^[^/\0]{1,255}$/.test(name) && name !== '.' && name !== '..', `${preset} names ${name}`);
      assert(!name.startsWith('.'), 'a hidden file');
    }
    const { directory, depth, mode = 0 } = parseSavePath(text);
    assert(text.endsWith(directory) && depth <= 4 && mode <= 0o777);
  },
};

const noted = 'A'.repeat(40) as SessionId;

export const notes: Target = {
  name: 'notes',
  seeds: ['{"epoch":1,"confirmedAtMs":2}', '{"epoch":1,"confirmedAtMs":2,"buried":true}'.padEnd(96), '[]', 'null', ''],
  words: [
    '"epoch":',
    '"confirmedAtMs":',
    '"buried":true',
    '1e999',
    '-1',
    'null',
    '"',
    '__proto__',
    '{',
    '}',
    '9007199254740993',
  ],
  run(input) {
    const directory = folder.join('notes');
    const notes = new Notes({ directory });
    if (!readableFolder(directory)) mkdirSync(directory, { mode: 0o700 });
    writeFileSync(join(directory, `${noted}.note`), input);
    const note = notes.read(noted);
    const all = [...notes.all()];
    assert.deepEqual(all, note === undefined ? [] : [[noted, note]]);
    if (note === undefined) return;
    assert(Number.isFinite(note.epoch) && note.epoch >= 0 && note.confirmedAtMs >= 0);
    notes.write(noted, note);
    assert.deepEqual(notes.read(noted), note, 'what is written is read');
  },
};

function readableFolder(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch {
    return false;
  }
}

const secret = 'a secret that no message may repeat';

export const configuration: Target = {
  name: 'configuration',
  seeds: [
    'role: gateway\nlisten: 0.0.0.0:8080\nsession: { preset: laravel, keys: [env:APP_KEY] }\nstore: { url: redis://redis:6379, key: env:HOLDFAST_STORE_KEY }\npods: { static: [a=10.1.0.4:8080] }\naffinity: { pinKey: env:HOLDFAST_STORE_KEY }\n',
    'role: sidecar\nsession:\n  preset: php\nstore: { url: "memory:" }\npod: { name: a, uid: b }\npeer: { listen: 0.0.0.0:9902 }\napplication: 127.0.0.1:9000\nsessions: { directory: /tmp, maxBytes: 1m }\ntimeouts: { head: 10s }\nlimits: { fields: 100 }\n',
    '{"role":"gateway"}\0store.url=memory:\nlog.level=debug',
    'a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n',
    '%YAML 1.2\n---\n- a\n...\n',
  ],
  words: [
    'role: ',
    'gateway',
    'sidecar',
    'store:',
    'key: ',
    'env:APP_KEY',
    'file:/dev/null',
    'file:',
    '- ',
    '{',
    '}',
    '[',
    ']',
    '&a ',
    '*a',
    '!!js/x ',
    '!!binary ',
    '<<: ',
    '? ',
    '|\n',
    '>-\n',
    '"',
    "'",
    '10s',
    '1m',
    '0',
    '-1',
    '.inf',
    '~',
    '__proto__: ',
    'constructor',
    'trustedProxies: ',
    '10.0.0.0/8',
    'tls: ',
    'static: ',
    'a=b:1',
    '\t',
    '\0store.url=',
    'redis+cluster://',
    'limits: ',
  ],
  // The compiler of the schema and the YAML reader are not ours, and slow.
  turnsPerByte: 20_000,
  run(input) {
    const [file = '', ...flags] = input.toString('utf8').split('\0');
    const configFile = folder.join('holdfast.yaml');
    writeFileSync(configFile, file);
    const environment = { APP_KEY: secret, HOLDFAST_STORE_KEY: secret };
    const loaded = loadConfig({
      configFile,
      set: flags
        .join('\0')
        .split('\n')
        .filter((flag) => flag !== ''),
      environment,
    });
    const said = loaded.kind === 'problems' ? loaded.problems : loaded.warnings;
    if (loaded.kind === 'problems') assert(said.length > 0);
    for (const { path, words } of said) assert(!`${path} ${words}`.includes(secret), 'a problem repeats a secret');
  },
};
