/** A certificate that somebody else keeps in files. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog } from '../../src/base/log.ts';
import { makeCertificate } from '../../src/injector/certificate-maker.ts';
import { FileCertificate } from '../../src/injector/file-certificate.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

test('files are shown as soon as they are a pair, and again when they change; what is none changes nothing', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-files-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [certificate, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  const clock = new ManualClock();
  const served: string[] = [];
  const log = createLog({ level: 'silent' });
  const files = new FileCertificate({
    certificate,
    key,
    clock,
    log,
    serve: (pair) => void served.push(pair.certificate),
  });
  t.after(() => files.stop());
  const pair = () => makeCertificate({ names: ['a.test'], nowMs: Date.now(), lifetimeMs: 86_400_000 });
  const write = (made: { readonly certificate: string; readonly key: string }): void => {
    writeFileSync(certificate, made.certificate);
    writeFileSync(key, made.key);
  };
  /** A look has ended when the next one is set. */
  const looked = async (): Promise<void> => {
    await until('the files were looked at', () => clock.pending === 1);
  };
  const lookAgain = async (): Promise<void> => {
    clock.advance(5_000);
    await looked();
  };

  files.start();
  await looked();
  assert.match(files.missing ?? '', /tls\.crt can not be read: ENOENT/);

  const [first, second] = [await pair(), await pair()];
  write(first);
  await lookAgain();
  assert.equal(files.missing, undefined);
  await lookAgain();
  assert.deepEqual(served, [first.certificate]);

  write({ certificate: second.certificate, key: first.key });
  await lookAgain();
  assert.deepEqual(served, [first.certificate]);
  assert.equal(files.missing, undefined, 'the one before is still shown');

  write(second);
  await lookAgain();
  assert.deepEqual(served, [first.certificate, second.certificate]);
});
