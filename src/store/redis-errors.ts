/**
 * What a failed Redis call means to us: the one place where errors of ioredis and of the server are read.
 *
 * A server's error begins with a code in capitals (RESP: "-NOAUTH Authentication required."). That code is part
 * of the protocol; the words after it are not looked at. Foreign errors are not kept as `cause`: ioredis hangs
 * the command with all its arguments on them, passwords and session contents included.
 */

import { HoldfastError } from '../base/errors.ts';

/** Codes that waiting does not cure: somebody has to change a password, an ACL or a URL. */
const misconfiguredCodes: ReadonlySet<string> = new Set(['NOAUTH', 'WRONGPASS', 'NOPERM', 'WRONGTYPE', 'NOPROTO']);

/** The code of an error that the server itself answered; undefined for anything else. */
export function replyCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return undefined;
  return /^[A-Z]+/.exec(error.message)?.[0] ?? 'ERR';
}

/** The HoldfastError for what ioredis threw, rejected with or emitted; our own errors stay what they are. */
export function toStoreError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const code = replyCode(error);
  if (code === undefined) return new HoldfastError('store-unavailable', wordsOf(error));
  const kind = misconfiguredCodes.has(code) ? 'store-misconfigured' : 'store-unavailable';
  return new HoldfastError(kind, `Redis answered ${code}.`);
}

/** Words of connection errors hold at most an address. */
function wordsOf(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : 'The connection to Redis failed.';
}
