/**
 * Cleans up after a `holdfast dev` that was killed: a shell beside it, which does nothing until its input ends, and
 * then kills the process groups it was told of last. An input ends with the process that writes it, however that ends.
 *
 * Must not know what the groups are.
 */

import { type ChildProcess, spawn } from 'node:child_process';

/** Each line of the input is the whole list. An orderly end says so, and has left nothing. */
const script = `
groups=
while read -r line; do groups=$line; done
[ "$groups" = done ] && exit
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
rm -rf -- "$1"
`;

export class DevWatcher {
  readonly #shell: ChildProcess;

  /** @param folder what is left of dev, removed where dev could not do it itself */
  constructor(folder: string) {
    // A session of its own: what ends dev's terminal or process group leaves it alone.
    this.#shell = spawn('/bin/sh', ['-c', script, 'holdfast-dev-watcher', folder], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    // Without a shell, dev runs all the same; a kill -9 then leaves its replicas.
    this.#shell.on('error', () => undefined);
    this.#shell.stdin?.on('error', () => undefined);
  }

  /** @param groups the process groups that are to end with dev, as their leaders' process ids */
  tell(groups: readonly number[]): void {
    this.#shell.stdin?.write(`${groups.join(' ')}\n`);
  }

  close(): void {
    this.#shell.stdin?.end('done\n');
  }
}
