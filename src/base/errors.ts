/**
 * The one table of our own errors. Foreign errors are converted to these at the edge where they are seen;
 * nothing matches error texts. Faults of an exchange are not errors but close reasons (close-reasons.ts).
 */

const rows = {
  'bad-configuration': 'The configuration can not be used.',
  'bad-arguments': 'The command line can not be used.',
  'listen-failed': 'A listening address could not be taken.',
  'store-unavailable': 'The store did not answer.',
  'store-part-unavailable': 'A node of the Redis Cluster did not answer; the sessions of other nodes go on.',
  'store-misconfigured': 'The store answered that it can not be used as configured.',
  'blob-unsealable': 'A stored session did not open: wrong key, or the blob was changed.',
  'peer-unreachable': 'Another sidecar did not answer.',
  'lock-timeout': 'A session file stayed locked.',
  'session-file-unusable': 'A session file could not be read or written.',
  'session-too-large': 'A session file is larger than sessions.maxBytes.',
  'directory-unusable': 'The session directory can not be used.',
  'worker-failed': 'A worker process can not serve.',
  'directory-in-use': 'Another sidecar has this session directory.',
  'certificate-unusable': 'A certificate can not be used.',
  'api-server-unavailable': 'The Kubernetes API server did not answer, or can not be reached.',
  'replica-failed': 'A replica of the application could not be run.',
} as const;

export type ErrorKind = keyof typeof rows;

export const errorKinds: Readonly<Record<ErrorKind, string>> = rows;

/** An error with a kind from the table; `detail` says what and where, `cause` keeps the foreign error. */
export class HoldfastError extends Error {
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, detail: string, options?: { cause?: unknown }) {
    super(`${rows[kind]} ${detail}`, options);
    this.name = 'HoldfastError';
    this.kind = kind;
  }
}
