/**
 * PHP's own sessions, with PHP as it is run: its built-in server, php-fpm behind nginx, Apache's module.
 */

import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { applications } from '../support/applications.ts';
import { repositoryRoot } from '../support/processes.ts';
import { frameworkCase } from './framework-case.ts';
import type { FrameworkUnderTest } from './framework-case.ts';
import { underApache, underBuiltInServer, underFpm } from './php-servers.ts';

const site = { site: join(repositoryRoot, 'examples/plain-php'), application: applications['plain-php'] };

frameworkCase("PHP under its built-in server, with PHP's strict mode and long ids", {
  application: () =>
    underBuiltInServer({
      ...site,
      ini: {
        'session.use_strict_mode': '1',
        'session.sid_length': '48',
        'session.sid_bits_per_character': '6',
        'session.serialize_handler': 'php_serialize',
      },
    }),
});

frameworkCase('PHP under php-fpm and nginx', {
  application: () => underFpm(site),
  more: async (given) => {
    await habits(given);
    await afterTheAnswer(given);
  },
});

frameworkCase("PHP under Apache's module", { application: () => underApache(site), more: habits });

/** What PHP applications do with a session besides reading and writing it. */
async function habits({ t, user }: FrameworkUnderTest): Promise<void> {
  await t.test(
    'a session of 900 KB, one opened late, and a new id that leaves the old one survive a kill',
    async () => {
      for (const path of ['/big?kb=900', '/late-start?ms=200', '/regenerate']) {
        await user.counts(1, path);
        const id = await user.id();
        const pod = await user.pod();
        await pod.kill();
        await user.counts();
        assert.equal(await user.id(), id);
        await pod.start();
      }
    },
  );

  await t.test('read_and_close reads what another pod wrote, and ends nothing', async () => {
    const pod = await user.pod();
    await pod.kill();
    assert.equal(await user.browser.number('/peek'), user.number);
    await pod.start();
    await user.counts();
    assert.equal(await user.browser.number('/peek'), user.number);
  });

  await t.test("a pod has only the session's file, and it is the application's own", async () => {
    const pod = await user.pod();
    const id = await user.id();
    const names = await readdir(pod.sessions);
    assert.ok(names.includes(`sess_${id}`));
    assert.deepEqual(
      names.filter((name) => name !== '.holdfast' && !name.startsWith('sess_')),
      [],
    );
    // The sidecar wrote it after the kills before; PHP refuses files of another user.
    const [file, directory] = await Promise.all([stat(join(pod.sessions, `sess_${id}`)), stat(pod.sessions)]);
    assert.deepEqual([file.uid, file.mode & 0o777], [directory.uid, 0o600]);
  });
}

async function afterTheAnswer({ t, user }: FrameworkUnderTest): Promise<void> {
  await t.test(
    'what PHP writes after fastcgi_finish_request, with the session open, is safe with the answer',
    async () => {
      await user.counts(1, '/finish?ms=300');
      const pod = await user.pod();
      await pod.kill();
      assert.equal(await user.browser.number('/finished'), 1);
      await pod.start();
      await user.counts();
    },
  );
}
