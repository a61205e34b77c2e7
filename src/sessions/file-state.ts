/**
 * What one look at a session file found, and the stamp that tells later whether it has changed since.
 *
 * Must not know how the file is reached. The only fact it takes from the machine is the wall clock, because the
 * stamps it compares are the kernel's.
 */

import { hash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';

import type { HoldfastError } from '../base/errors.ts';

/** Opaque outside this folder's file side: keep it, pass it back as `known`. */
export interface FileStamp {
  readonly inode: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** See stampOf(). */
  readonly settled: boolean;
}

export type FileState =
  /** Whole content. `mtimeMs`: milliseconds since 1970; `digest`: SHA-256, base64. */
  | {
      readonly kind: 'content';
      readonly bytes: Buffer;
      readonly mtimeMs: number;
      readonly digest: string;
      readonly stamp: FileStamp;
    }
  /** The file that `known` describes, not touched since: it was not read. */
  | { readonly kind: 'unchanged'; readonly mtimeMs: number; readonly stamp: FileStamp }
  /** Zero bytes. Under the lock, for presets that lock; what that means: FileRules.zeroBytesIsASession. */
  | { readonly kind: 'empty'; readonly mtimeMs: number; readonly stamp: FileStamp }
  | { readonly kind: 'absent' }
  /** The bound for waiting passed, or too many waited already. */
  | { readonly kind: 'locked' }
  | { readonly kind: 'too-large'; readonly size: number }
  /** 'session-file-unusable' (no regular file of ours, no permission) or 'directory-unusable'. */
  | { readonly kind: 'unusable'; readonly error: HoldfastError };

/**
 * Longest tick of the kernel's file times, doubled: HZ=100 gives 10 ms. (Since Linux 6.13 they are finer, but
 * not on every file system.)
 */
const tickNs = 20_000_000n;

/**
 * The stamp of a file. Two writes within one tick of the kernel's clock leave the same times, and sessions love to
 * keep their size (a counter from 1 to 2): a stamp taken that early proves nothing later and is not `settled`.
 * @param nowMs wall clock from before the file was looked at.
 */
export function stampOf(stats: BigIntStats, nowMs: number): FileStamp {
  return {
    inode: stats.ino,
    size: stats.size,
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
    settled: BigInt(nowMs) * 1_000_000n - stats.ctimeNs > tickNs,
  };
}

/** Whether two looks saw the same file in the same condition, both within one attempt to read it. */
export function sameFile(before: BigIntStats, after: BigIntStats): boolean {
  return (
    before.ino === after.ino &&
    before.size === after.size &&
    before.mtimeNs === after.mtimeNs &&
    before.ctimeNs === after.ctimeNs
  );
}

/** Whether the file is certainly the one that `known` describes, unchanged. False also when it can't be told. */
export function isUnchanged(stats: BigIntStats, known: FileStamp): boolean {
  return compareStamp(stats, known) === 'unchanged';
}

/** 'unsettled': it looks unchanged, and the stamp is too early to tell. */
export function compareStamp(stats: BigIntStats, known: FileStamp): 'unchanged' | 'unsettled' | 'changed' {
  const same =
    known.inode === stats.ino &&
    known.size === stats.size &&
    known.mtimeNs === stats.mtimeNs &&
    known.ctimeNs === stats.ctimeNs;
  return same ? (known.settled ? 'unchanged' : 'unsettled') : 'changed';
}

/** The modification time in whole milliseconds since 1970. */
export function mtimeMsOf(stats: BigIntStats): number {
  return Number(stats.mtimeNs / 1_000_000n);
}

/**
 * The kernel copies a write page by page, and looks between two whether the writer was killed; it allocates block by
 * block, of which the smallest in use have this size.
 */
const blockBytes = 1024;

/**
 * Whether the content may be the beginning of a longer one: whoever is stopped while he writes a file leaves whole
 * blocks. Of whole sessions one in 1024 looks like that, so it counts only where something went wrong.
 */
export function mayBeTorn(bytes: Buffer): boolean {
  return bytes.length > 0 && bytes.length % blockBytes === 0;
}

/** The digest of a session's content: SHA-256, base64. */
export function digestOf(bytes: Buffer): string {
  return hash('sha256', bytes, 'base64');
}
