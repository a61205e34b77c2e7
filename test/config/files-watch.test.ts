/** Each way in which a file changes, on a real file system. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { FilesWatch } from '../../src/config/files-watch.ts';
import { loadConfig } from '../../src/config/load.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

interface Watched {
  readonly folder: string;
  /** How often a change was told. */
  readonly told: () => number;
  /** Lets time go on until a change is told or so many looks have passed. */
  readonly looks: (looksMax: number) => Promise<void>;
}

/** The files of a configuration are watched as `run` does it. */
function watched(t: TestContext, yaml: (folder: string) => string): Watched {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-watch-'));
  const clock = new ManualClock();
  const configFile = join(folder, 'config.yaml');
  writeFileSync(configFile, yaml(folder));
  let told = 0;
  const load = (): void => watch.saw(loadConfig({ configFile, environment: {} }).files);
  const watch: FilesWatch = new FilesWatch({
    clock,
    changed() {
      told++;
      load();
      return Promise.resolve();
    },
  });
  load();
  watch.start();
  t.after(() => {
    watch.stop();
    rmSync(folder, { recursive: true });
  });
  return {
    folder,
    told: () => told,
    async looks(looksMax) {
      const before = told;
      for (let look = 0; look < looksMax && told === before; look++) {
        await until('the next look is waited for', () => clock.pending > 0);
        clock.advance(2000);
      }
      await until('the last look is over', () => clock.pending > 0);
    },
  };
}

const gateway = (store: string): string =>
  `{ session: { preset: php }, store: { url: "redis://redis", key: "${store}" }, pods: { static: [a=10.0.0.1:80] } }`;

test('a file written in place, a file renamed over it, and a touch that changes nothing', async (t) => {
  const { folder, told, looks } = watched(t, () => gateway('a secret of 16 bytes or more'));
  const file = join(folder, 'config.yaml');
  writeFileSync(file, gateway('another secret of 16 bytes'));
  await looks(5);
  assert.equal(told(), 1);
  writeFileSync(`${file}.new`, gateway('a third secret of 16 bytes'));
  renameSync(`${file}.new`, file);
  await looks(5);
  assert.equal(told(), 2);
  writeFileSync(file, gateway('a third secret of 16 bytes'));
  await looks(5);
  assert.equal(told(), 2, 'the same content');
});

test("the kubelet's swap of a symbolic link changes all files at once, a Secret's too, and is told once", async (t) => {
  const { folder, told, looks } = watched(t, (parent) => {
    volume(parent, '..2026_1', { first: 'the first secret of all', second: 'the second secret of all' });
    symlinkSync('..2026_1', join(parent, '..data'));
    for (const name of ['first', 'second']) symlinkSync(`..data/${name}`, join(parent, name));
    return `{ session: { preset: php }, store: { url: "redis://redis", key: ["file:${parent}/first", "file:${parent}/second"] } }`;
  });
  volume(folder, '..2026_2', { first: 'another first secret', second: 'another second secret' });
  symlinkSync('..2026_2', join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  rmSync(join(folder, '..2026_1'), { recursive: true });
  await looks(5);
  assert.equal(told(), 1);
  await looks(5);
  assert.equal(told(), 1);
});

test('a file that is named and missing is watched too: it may come later than the file that names it', async (t) => {
  const { folder, told, looks } = watched(t, (parent) => gateway(`file:${parent}/late`));
  await looks(3);
  assert.equal(told(), 0);
  writeFileSync(join(folder, 'late'), 'a secret of 16 bytes or more\n');
  await looks(5);
  assert.equal(told(), 1);
});

test('a file that is still being written is left alone until two looks agree; one that never rests is read all the same', async (t) => {
  const { folder, told, looks } = watched(t, () => gateway('a secret of 16 bytes or more'));
  for (let look = 0; look < 5; look++) {
    writeFileSync(join(folder, 'config.yaml'), gateway(`a secret of 16 bytes or more ${look}`));
    await looks(1);
  }
  assert.equal(told(), 0);
  await looks(5);
  assert.equal(told(), 1);
  for (let look = 0; told() === 1; look++) {
    assert.ok(look < 20, 'it is read in the end');
    writeFileSync(join(folder, 'config.yaml'), gateway(`a secret that never rests ${look}`));
    await looks(1);
  }
});

function volume(parent: string, name: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(parent, name));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(parent, name, file), text);
}
