/**
 * CPU time and memory of a process with all its descendants and threads, from /proc.
 */

import { readFileSync, readdirSync } from 'node:fs';

/** Ticks of utime and stime a second: USER_HZ, 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** User and system time in microseconds of the process and of its living descendants. */
export function cpuTimeUs(pid: number): number {
  let ticks = 0;
  for (const fields of family(pid)) ticks += fields.ticks;
  return (ticks / ticksPerSecond) * 1e6;
}

/** Resident memory in bytes of the process and its descendants (shared pages are counted for each). */
export function residentBytes(pid: number): number {
  let kib = 0;
  for (const { pid: member } of family(pid)) {
    kib += Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${member}/status`, 'utf8'))?.[1] ?? 0);
  }
  return kib * 1024;
}

interface Member {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
}

function family(root: number): readonly Member[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readMember(Number(name)));
  const members = all.filter(({ pid }) => pid === root);
  // The list grows while it is walked: children of children.
  for (const member of members) members.push(...all.filter(({ parent }) => parent === member.pid));
  return members;
}

/** Empty where the process ended meanwhile. */
function readMember(pid: number): readonly Member[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name is in parentheses and may hold anything; the numbered fields of proc(5) follow it, from the third on.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return [{ pid, parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }];
  } catch {
    return [];
  }
}
