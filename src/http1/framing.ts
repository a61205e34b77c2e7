/** What frames a message's body (RFC 9112 section 6.3). Must not know sockets. */

export type Framing =
  | { readonly kind: 'none' }
  /** length > 0; a Content-Length of 0 is 'none'. */
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  /** Responses only: the body ends with the connection. */
  | { readonly kind: 'close' };
