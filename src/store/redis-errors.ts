/**
 * What a failed Redis call means to us: the one place where errors of ioredis, of TLS and of the server are read.
 *
 * A server's error begins with a code in capitals (RESP: "-NOAUTH Authentication required."). Decisions are made by
 * that code, by the `code` of Node's own errors, and by the line of our script that the server names; the server's
 * words are shown where they say what is missing, cut before they could repeat arguments. Foreign errors are not kept
 * as `cause`: ioredis hangs the command with all its arguments on them, passwords and session contents included.
 */

import { HoldfastError } from '../base/errors.ts';
import { isStoreAnswer, storeAnswers } from '../base/store-answers.ts';
import type { StoreAnswerCode } from '../base/store-answers.ts';

const shownCharactersMax = 160;

/** OpenSSL's and Node's names for a chain that ends nowhere we trust. */
const untrustedCodes: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'INVALID_CA',
]);

/** The server's alerts about our certificate; TLS 1.3 and 1.2 have different ones for "none was sent". */
const clientCertificateCodes: ReadonlySet<string> = new Set([
  'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
  'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
  'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
  'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
  'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
  'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE',
  'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED',
  'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED',
  'ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN',
  'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN',
]);

/** The code of an error that the server itself answered; undefined for anything else. */
export function replyCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return undefined;
  // Redis 6.2 puts what a script met into a sentence of its own: "ERR Error running script (...): ...: -OOM ...".
  return (
    /^ERR Error running script .*?: -([A-Z]{2,}) /.exec(error.message)?.[1] ??
    /^[A-Z]+/.exec(error.message)?.[0] ??
    'ERR'
  );
}

/**
 * The HoldfastError for what ioredis threw, rejected with or emitted; our own errors stay what they are.
 * @param script the text of the script that was called: the server names a line of it where a command is not allowed.
 */
export function toStoreError(error: unknown, script?: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const code = replyCode(error);
  if (code !== undefined) return replyError(code, wordsOf(error), script);
  const tls = tlsCode(error);
  if (tls !== undefined) return answerError(tls, tls === 'TLS' ? wordsOf(error) : undefined);
  return new HoldfastError('store-unavailable', wordsOf(error));
}

/** What the last of the sentinels that were asked had against it: ioredis makes one text of all it knows. */
export function toSentinelError(error: unknown): HoldfastError {
  const words = wordsOf(error);
  const code = /\b(NOAUTH|WRONGPASS|NOPERM)\b/.exec(words)?.[1];
  if (code !== undefined) {
    const which = 'The sentinels have users of their own: see store.sentinel.';
    return new HoldfastError('store-misconfigured', `A sentinel answered ${code}. ${which}`);
  }
  if (/got an invalid reply: null$/.test(words)) {
    return new HoldfastError('store-misconfigured', "A sentinel does not know the primary's name in store.url.");
  }
  return new HoldfastError('store-unavailable', `No sentinel could be asked: ${words}`);
}

function replyError(code: string, words: string, script: string | undefined): HoldfastError {
  if (!isStoreAnswer(code)) return new HoldfastError('store-unavailable', `Redis answered ${code}.`);
  const command = code === 'ERR' ? deniedCommand(words, script) : undefined;
  if (command !== undefined) return answerError('NOPERM', `The command is ${command}.`);
  return answerError(code, code === 'ERR' || code === 'NOPERM' ? words : undefined);
}

/**
 * Inside a script a missing right is an ERR that names no command, only the script's line. Any other error of our
 * own scripts would be one that the contract test shows.
 */
function deniedCommand(words: string, script: string | undefined): string | undefined {
  const line = /\buser executing the script\b.*@user_script:\s?(\d+)/.exec(words)?.[1];
  if (line === undefined || script === undefined) return undefined;
  return /redis\.call\('([A-Z]+)'/.exec(script.split('\n')[Number(line) - 1] ?? '')?.[1]?.toLowerCase();
}

function answerError(code: StoreAnswerCode, more: string | undefined): HoldfastError {
  const { misconfigured, words } = storeAnswers[code];
  const detail = `${code}: ${words}${more === undefined ? '' : ` ${more}`}`;
  return new HoldfastError(misconfigured ? 'store-misconfigured' : 'store-unavailable', detail);
}

function tlsCode(error: unknown): StoreAnswerCode | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  const { code } = error;
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID' || code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return code;
  if (untrustedCodes.has(code)) return 'UNTRUSTED';
  if (clientCertificateCodes.has(code)) return 'CLIENT_CERTIFICATE';
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') return 'NOT_TLS';
  return code.startsWith('ERR_SSL_') || code.startsWith('ERR_OSSL_') ? 'TLS' : undefined;
}

/** Words of connection errors hold at most an address; a reply's are cut where the server would repeat arguments. */
function wordsOf(error: unknown): string {
  const words = error instanceof Error ? error.message.split(', with args')[0]! : '';
  return words === '' ? 'The connection to Redis failed.' : words.slice(0, shownCharactersMax);
}
