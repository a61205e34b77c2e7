/**
 * The worker processes of a deployed gateway, found as an operator finds them: by the parent's log.
 *
 * Must not know what the tests do to them.
 */

import type { RunningProcess } from './processes.ts';

/** Every worker that was started so far, oldest first. */
export function startedWorkers(parent: RunningProcess): readonly number[] {
  return parent.logLines.filter(({ msg }) => msg === 'a worker was started').map(({ pid }) => Number(pid));
}

/** The workers that are there now. */
export function runningWorkers(parent: RunningProcess): readonly number[] {
  return startedWorkers(parent).filter(isRunning);
}

export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
