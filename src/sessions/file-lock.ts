/**
 * flock(2) and leases of fcntl(2), which Node does not have, through koffi: 1.2 us for lock and unlock.
 *
 * Only ever tried, never waited for: a blocking flock would hold a thread of the pool for as long as a PHP request
 * runs, and four of them stop every other use of the pool in the process. Who wants to wait tries again later.
 * A lock ends when its file descriptor is closed. fcntl locks would not do: they do not meet flock locks.
 */

import koffi from 'koffi';

import { HoldfastError } from '../base/errors.ts';

const lockShared = 1;
const lockExclusive = 2;
const lockNonBlocking = 4;

const setSignal = 10;
const setLease = 1024;
const readLease = 0;
/** Its default action is to be ignored; that of SIGIO, which a lease would send, is to end the process. */
const signalUrgent = 23;

const library = koffi.load(null);
const flock: (fd: number, operation: number) => number = library.func('int flock(int fd, int operation)');
const fcntl: (fd: number, command: number, type: 'int', argument: number) => number = library.func(
  'int fcntl(int fd, int command, ...)',
);

/**
 * Takes the lock if it is free at this moment.
 * @returns false where someone else holds a lock that excludes this one.
 * @throws HoldfastError 'directory-unusable' where the file system has no such locks.
 */
export function tryLock(fd: number, kind: 'shared' | 'exclusive'): boolean {
  if (flock(fd, (kind === 'shared' ? lockShared : lockExclusive) | lockNonBlocking) === 0) return true;
  const errno = koffi.errno();
  // EINTR can't happen to a call that does not wait, but "try again" is the right answer to it anyway.
  if (errno === koffi.os.errno.EWOULDBLOCK || errno === koffi.os.errno.EINTR) return false;
  throw new HoldfastError('directory-unusable', `Its file system refuses flock(2) (errno ${errno}).`);
}

/**
 * Takes a read lease on a file that is open for reading: there is one only while nobody has it open for writing. Until
 * the descriptor is closed, whoever opens it for writing waits, so that has to be at once.
 * @returns false where somebody has it open for writing. True also where the file system has no leases, or the file
 * is another user's: then nothing can be told.
 */
export function tryReadLease(fd: number): boolean {
  if (fcntl(fd, setSignal, 'int', signalUrgent) !== 0) return true;
  if (fcntl(fd, setLease, 'int', readLease) === 0) return true;
  return koffi.errno() !== koffi.os.errno.EAGAIN;
}
