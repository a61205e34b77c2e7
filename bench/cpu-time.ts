/**
 * CPU time and memory of processes with all their descendants and threads, from /proc.
 */

import { readFileSync, readdirSync } from 'node:fs';

/** Ticks of utime and stime a second: USER_HZ, 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

export interface CpuTime {
  readonly userUs: number;
  readonly kernelUs: number;
}

/** User and system time in microseconds of the processes and of their living descendants. */
export function cpuTime(pids: readonly number[]): CpuTime {
  const members = families(pids);
  const inUs = (ticks: number) => (ticks / ticksPerSecond) * 1e6;
  return {
    userUs: inUs(members.reduce((sum, { userTicks }) => sum + userTicks, 0)),
    kernelUs: inUs(members.reduce((sum, { kernelTicks }) => sum + kernelTicks, 0)),
  };
}

/** What was used between two looks. */
export function cpuTimeSince(before: CpuTime, now: CpuTime): CpuTime {
  return { userUs: now.userUs - before.userUs, kernelUs: now.kernelUs - before.kernelUs };
}

/** User and system time together, in microseconds, of one process and its descendants. */
export function cpuTimeUs(pid: number): number {
  const { userUs, kernelUs } = cpuTime([pid]);
  return userUs + kernelUs;
}

/** Resident memory in bytes of the processes and their descendants (shared pages are counted for each). */
export function residentBytes(pids: readonly number[]): number {
  let kib = 0;
  for (const { pid } of families(pids)) {
    kib += Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  }
  return kib * 1024;
}

interface Member {
  readonly pid: number;
  readonly parent: number;
  readonly userTicks: number;
  readonly kernelTicks: number;
}

function families(roots: readonly number[]): readonly Member[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readMember(Number(name)));
  const members = all.filter(({ pid }) => roots.includes(pid));
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
    return [{ pid, parent: Number(fields[1]), userTicks: Number(fields[11]), kernelTicks: Number(fields[12]) }];
  } catch {
    return [];
  }
}
