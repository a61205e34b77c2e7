/**
 * Answers that are made here and not by an upstream: refusals and failures, with a short body that names the reason.
 *
 * Must not know why it is answered so; the words come from the one table of close reasons.
 */

import { type CloseReason, closeReasons } from '../base/close-reasons.ts';
import { type AddedField, line } from './kept-lines.ts';

export interface OwnResponse {
  /** 200 to 599. */
  readonly status: number;
  /** The table's row: its words and its name become the body. Absent: `body` is all there is. */
  readonly reason?: CloseReason | undefined;
  /** ASCII text of our own making; with a reason, the reason's text is used and this is ignored. */
  readonly body?: string | undefined;
  /** Further fields. */
  readonly fields?: readonly AddedField[] | undefined;
  /** It answers a HEAD: the length is told, the body stays behind. */
  readonly toHead?: boolean | undefined;
  readonly closing: boolean;
  /** The client's HTTP/1 minor version; 1 where it is not known. */
  readonly clientMinor?: 0 | 1 | undefined;
}

const phrases: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  508: 'Loop Detected',
};

/**
 * The whole response, to be written as latin1.
 * @throws AssertionError where a field is not a legal field line: our mistake
 */
export function ownResponse(response: OwnResponse): string {
  const { status, reason, closing } = response;
  const body = reason === undefined ? (response.body ?? '') : `Holdfast: ${closeReasons[reason].words} (${reason})\n`;
  let text = `HTTP/1.1 ${status} ${phrases[status] ?? ''}\r\n`;
  if (status !== 204 && status !== 304) {
    text += `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body, 'latin1')}\r\n`;
  }
  text += 'Cache-Control: no-store\r\n';
  if (status === 503) text += 'Retry-After: 1\r\n';
  for (const [name, value] of response.fields ?? []) text += line(name, value);
  if (closing) text += 'Connection: close\r\n';
  else if (response.clientMinor === 0) text += 'Connection: keep-alive\r\n';
  return response.toHead === true || status === 204 || status === 304 ? `${text}\r\n` : `${text}\r\n${body}`;
}
