/**
 * Which process listens at a Unix socket, as Linux tells it in /proc: for the one line that says who is in the way.
 *
 * Must not know why it is asked; where nothing can be found out, nothing is said.
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** In the column Flags of /proc/net/unix: the socket listens (__SO_ACCEPTCON, include/linux/net.h). */
const listens = 0x10000;
/** Processes looked at. */
const processesMax = 10_000;

/** @returns its process id; undefined where it is another user's, in another container, or this is no Linux. */
export function socketOwner(path: string): number | undefined {
  try {
    const inode = inodeOf(path);
    if (inode === undefined) return undefined;
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    const owner = pids.slice(0, processesMax).find((pid) => holds(pid, `socket:[${inode}]`));
    return owner === undefined ? undefined : Number(owner);
  } catch {
    return undefined;
  }
}

/** "Num RefCount Protocol Flags Type St Inode Path" (proc(5)). */
function inodeOf(path: string): string | undefined {
  for (const line of readFileSync('/proc/net/unix', 'utf8').split('\n')) {
    const [, , , flags = '', , , inode, ...rest] = line.trim().split(/\s+/);
    if (rest.join(' ') === path && (Number.parseInt(flags, 16) & listens) !== 0) return inode;
  }
  return undefined;
}

function holds(pid: string, socket: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((descriptor) => linkOf(`${folder}/${descriptor}`) === socket);
  } catch {
    return false;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
