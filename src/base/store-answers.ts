/**
 * What Redis, or TLS on the way to it, may answer instead of doing what was asked, and what an operator does about
 * it. docs/errors.md has these rows, and a log line or a readiness reason has the words of its row.
 *
 * `misconfigured`: waiting does not cure it. The codes are the first word of the server's error reply, or the `code`
 * of Node's TLS error.
 */

export interface StoreAnswer {
  readonly misconfigured: boolean;
  readonly words: string;
}

const rows = {
  NOAUTH: { misconfigured: true, words: 'Redis wants a password: put it into store.url, as docs/store.md shows.' },
  WRONGPASS: { misconfigured: true, words: 'Redis refuses the user or password of store.url.' },
  NOPERM: {
    misconfigured: true,
    words: "The ACL of store.url's user lacks a command or the key pattern: docs/store.md has the line.",
  },
  WRONGTYPE: {
    misconfigured: true,
    words: 'Something else writes keys with our names: give store.prefix another name.',
  },
  NOPROTO: { misconfigured: true, words: 'The server does not speak the protocol of Redis 6.2 or later.' },
  ERR: { misconfigured: true, words: 'Redis can not do what was asked; its own words follow.' },
  OOM: {
    misconfigured: true,
    words: 'Redis is full (maxmemory with noeviction): give it more memory. Writes count as failed until it has room.',
  },
  MISCONF: {
    misconfigured: true,
    words: 'Redis can not write its snapshot to disk and takes no writes: see its log and its disk.',
  },
  READONLY: {
    misconfigured: false,
    words: 'This server is a replica: a failover is under way, or store.url names a replica. We connect again.',
  },
  LOADING: { misconfigured: false, words: 'Redis loads its data from disk; it ends by itself.' },
  BUSY: { misconfigured: false, words: "Another client's script blocks Redis: SCRIPT KILL ends it." },
  MASTERDOWN: {
    misconfigured: false,
    words: 'This server is a replica without its primary: a failover is under way, or store.url names a replica.',
  },
  NOREPLICAS: {
    misconfigured: false,
    words: 'Fewer replicas than min-replicas-to-write are connected to the primary: see the replicas.',
  },
  CLUSTERDOWN: {
    misconfigured: false,
    words: 'The Redis Cluster misses a master, or this node its majority: see CLUSTER INFO.',
  },
  TRYAGAIN: { misconfigured: false, words: 'A slot of the Redis Cluster is being moved; it ends by itself.' },
  CERT_HAS_EXPIRED: { misconfigured: true, words: "The store's certificate has expired: renew it there." },
  CERT_NOT_YET_VALID: { misconfigured: true, words: "The store's certificate is not valid yet: see the clocks." },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    misconfigured: true,
    words: "The store's certificate is for another name: set store.tls.serverName to the name in it.",
  },
  UNTRUSTED: {
    misconfigured: true,
    words: "Nobody in store.tls.ca (without it: the well-known authorities) has signed the store's certificate.",
  },
  CLIENT_CERTIFICATE: {
    misconfigured: true,
    words: 'Redis wants a client certificate, or refuses ours: set store.tls.certificate and store.tls.key.',
  },
  NOT_TLS: {
    misconfigured: true,
    words: 'The other side does not speak TLS: use redis: instead of rediss:, or its TLS port.',
  },
  TLS: { misconfigured: true, words: 'The TLS handshake failed; the words of OpenSSL follow.' },
} as const satisfies Readonly<Record<string, StoreAnswer>>;

export type StoreAnswerCode = keyof typeof rows;

export const storeAnswers: Readonly<Record<StoreAnswerCode, StoreAnswer>> = rows;

export function isStoreAnswer(code: string): code is StoreAnswerCode {
  return Object.hasOwn(rows, code);
}
