/**
 * A session directory of its own for one test, and what the tests of the file side share.
 */

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

import type { SessionId } from '../../src/affinity/session-codec.ts';
import { systemClock } from '../../src/base/clock.ts';
import { SessionDirectory, type SessionDirectoryOptions } from '../../src/sessions/session-directory.ts';

export const lifetimeMs = 7_200_000;

/** An empty directory that goes with the test; others may enter it, as PHP under another uid must. */
export function temporaryDirectory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  chmodSync(path, 0o755);
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A file system of 64 KiB that goes with the test. @throws Error where this process may not mount. */
export function tinyFileSystem(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'holdfast-test', path], { stdio: 'pipe' });
  } catch (error) {
    rmSync(path, { recursive: true });
    throw new Error('mounting a tmpfs of 64 KiB failed: run this test as root, with CAP_SYS_ADMIN', { cause: error });
  }
  t.after(() => {
    execFileSync('umount', [path]);
    rmSync(path, { recursive: true });
  });
  return path;
}

export function sessionDirectory(
  directory: string,
  options: Partial<SessionDirectoryOptions> & Pick<SessionDirectoryOptions, 'preset'>,
): SessionDirectory {
  return new SessionDirectory({
    directory,
    maxBytes: 1_048_576,
    lockMs: 5_000,
    lifetimeMs,
    clock: systemClock,
    ...options,
  });
}

export function sessionId(text: string): SessionId {
  return text as SessionId;
}

export const laravelId = sessionId('a1B2'.repeat(10));
export const phpId = sessionId('b5i2c5d4hcqnavs6jhn01t7uuj');
export const expressId = sessionId('2o7sOpgMqMGWem0IxddjE0DkR3-jqUPS');
