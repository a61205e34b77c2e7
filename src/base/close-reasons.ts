/**
 * The one table of reasons why an exchange or a connection ends other than by a complete answer.
 * Log value, metric label, status of our own answer and documentation (docs/errors.md) all come from the row.
 *
 * `side`: whose doing it was. `status`: what the client is answered where its head has not left yet
 * (absent: nothing can be or needs to be answered, the connection just closes).
 */

export type Side = 'client' | 'upstream' | 'self';

interface CloseReasonRow {
  readonly side: Side;
  readonly status?: number;
  readonly words: string;
}

const rows = {
  // What the client sent (http1/ refuses with these).
  'bad-line-end': { side: 'client', status: 400, words: 'A line of the head does not end with CRLF.' },
  'bad-request-line': { side: 'client', status: 400, words: 'The request line is malformed.' },
  'bad-method': { side: 'client', status: 400, words: 'The method is not a token.' },
  'bad-target': { side: 'client', status: 400, words: 'The request target is malformed.' },
  'bad-version': { side: 'client', status: 400, words: 'The HTTP version is malformed.' },
  'bad-field': { side: 'client', status: 400, words: 'A field line is malformed.' },
  'bad-host': { side: 'client', status: 400, words: 'The Host field is missing, repeated or malformed.' },
  'bad-content-length': { side: 'client', status: 400, words: 'Content-Length is repeated or not a number.' },
  'bad-transfer-encoding': { side: 'client', status: 400, words: 'Transfer-Encoding is not exactly chunked.' },
  'ambiguous-length': { side: 'client', status: 400, words: 'Content-Length and Transfer-Encoding together.' },
  'bad-chunk': { side: 'client', status: 400, words: 'The chunked body is malformed.' },
  'bad-trailer': { side: 'client', status: 400, words: 'A trailer field is malformed.' },
  'version-unsupported': { side: 'client', status: 505, words: 'Only HTTP/1.0 and HTTP/1.1 are spoken here.' },
  'head-too-large': { side: 'client', status: 431, words: 'The request head, or its trailer section, is too large.' },
  'too-many-fields': { side: 'client', status: 431, words: 'The request has too many fields.' },
  'target-too-long': { side: 'client', status: 414, words: 'The request target is too long.' },
  'body-too-large': { side: 'client', status: 413, words: 'The request body is too large.' },
  'expectation-unknown': { side: 'client', status: 417, words: 'Only Expect: 100-continue is known.' },
  'method-unknown': {
    side: 'client',
    status: 501,
    words:
      'The method is a known one in other letters; there is no such method, and some applications would take it for that one.',
  },
  'connect-refused': { side: 'client', status: 501, words: 'CONNECT is not offered.' },
  'head-timeout': { side: 'client', status: 408, words: 'The request head took too long.' },
  'request-body-timeout': { side: 'client', status: 408, words: 'The request body stopped.' },
  'client-gone': { side: 'client', words: 'The client closed the connection.' },
  'client-stalled': { side: 'client', words: 'The client stopped reading.' },
  'untrusted-proxy-header': {
    side: 'client',
    words: 'The connection to a listener with proxyProtocol does not come from one of trustedProxies.',
  },
  'bad-proxy-header': { side: 'client', words: 'The PROXY header is missing, malformed or too slow.' },
  'tls-handshake-failed': { side: 'client', words: 'The TLS handshake failed; the log has the reason.' },
  'tls-handshake-timeout': { side: 'client', words: 'The TLS handshake took too long.' },
  'client-certificate-refused': {
    side: 'client',
    words: 'The client certificate is missing, or nobody trusted signed it.',
  },
  loop: { side: 'client', status: 508, words: 'The request came back to this sidecar.' },

  // What an upstream did.
  'upstream-refused': { side: 'upstream', status: 502, words: 'No pod took the connection.' },
  'upstream-connect-timeout': { side: 'upstream', status: 504, words: 'Connecting to the pod took too long.' },
  'upstream-reset': {
    side: 'upstream',
    status: 502,
    words: 'The pod closed the connection before its answer was complete.',
  },
  'upstream-bad-response': { side: 'upstream', status: 502, words: 'The pod sent a malformed response.' },
  'upstream-response-timeout': { side: 'upstream', status: 504, words: 'The pod did not answer in time.' },
  'upstream-body-timeout': { side: 'upstream', status: 504, words: "The pod's answer stopped." },
  'upstream-silent': {
    side: 'upstream',
    status: 504,
    words: 'The pod stopped answering, and its sidecar too: it is frozen or cut off.',
  },
  'application-died': { side: 'upstream', status: 502, words: 'The application ended in the middle of its answer.' },

  // What we decided.
  'no-pods': { side: 'self', status: 503, words: 'No pod is known.' },
  'no-pod-ready': { side: 'self', status: 503, words: 'No pod could take the request.' },
  'pod-not-available': { side: 'self', status: 503, words: 'The pod of this session is not available.' },
  overloaded: { side: 'self', status: 503, words: 'Too many requests at once.' },
  draining: { side: 'self', status: 503, words: 'This pod is going away.' },
  'not-here': { side: 'self', status: 503, words: 'The session is not here and the store is down.' },
  'adopt-failed': { side: 'self', status: 503, words: 'The session could not be fetched.' },
  'handoff-timeout': { side: 'self', status: 503, words: 'The session could not be taken over in time.' },
  'put-refused': { side: 'self', status: 503, words: 'The session belongs to another pod by now.' },
  'store-timeout': { side: 'self', status: 503, words: 'The session could not be stored in time.' },
  'lock-timeout': { side: 'self', status: 503, words: "The session's file stayed locked." },
  'session-unreadable': { side: 'self', status: 503, words: "The session's file could not be read or written." },
  'session-too-large': { side: 'self', status: 503, words: 'The session is larger than sessions.maxBytes.' },
  'turn-timeout': { side: 'self', status: 503, words: 'Requests of this session before this one took too long.' },
  'shutting-down': { side: 'self', status: 503, words: 'This process is going away.' },
  'tunnel-idle': { side: 'self', words: 'The tunnel was idle for too long.' },
  'keep-alive-idle': { side: 'self', words: 'The connection was idle for too long.' },
  internal: { side: 'self', status: 500, words: 'A fault of this proxy; its log says more.' },
} as const satisfies Record<string, CloseReasonRow>;

/** The name of a row: what logs, metrics and own answers say. */
export type CloseReason = keyof typeof rows;

export const closeReasons: Readonly<Record<CloseReason, CloseReasonRow>> = rows;

/** Whether a word that came from elsewhere names a row. */
export function isCloseReason(word: string): word is CloseReason {
  return Object.hasOwn(rows, word);
}
