/**
 * The trailer section that goes on to an upstream: what came in, without what a head would not bring through either.
 *
 * RFC 9110 section 6.5.1 forbids senders to put framing, routing or authentication there, and receivers to read it
 * as if it stood in the head. Some do: PHP's own server takes `Cookie` and `X-Forwarded-For` from trailers, so that a
 * client could name a session, or an address, that nobody here has seen.
 *
 * Must not know where the section came from. It was read by chunked-body.ts, so that each line is legal.
 */

import { traitsOf } from './fields.ts';
import { asciiLower, CR } from './grammar.ts';

/**
 * The section without the fields that mean anything to a proxy (`trait`), in their order and spelling.
 * @param section latin1: field lines and the empty line that ends them
 */
export function forwardTrailers(section: string): string {
  let kept = '';
  for (let start = 0; section.charCodeAt(start) !== CR;) {
    const end = section.indexOf('\r\n', start) + 2;
    const name = section.substring(start, section.indexOf(':', start));
    if (traitsOf(asciiLower(name)) === 0) kept += section.substring(start, end);
    start = end;
  }
  return `${kept}\r\n`;
}
