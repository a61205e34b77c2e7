/**
 * The envelope of Laravel's encrypted values: base64 of the JSON {iv, value, mac, tag}, percent-encoded in a cookie.
 *
 * Encrypter::encrypt always writes the four in this order, without white space or escapes, so that a text of this
 * shape is cut where it stands. Whatever differs (old versions wrote no tag, or escaped "/"; clients send anything) is
 * left to JSON.parse. Control characters alone, which JSON refuses, are let through: no MAC fits them.
 *
 * Must not know keys. Nothing here is believed before its MAC or its tag was checked.
 */

import { percentDecoded } from '../cookie-line.ts';

/** The four as they stand: base64 but for the MAC, which is hexadecimal. */
export interface LaravelPayload {
  readonly iv: string;
  readonly value: string;
  readonly mac: string;
  /** '' with CBC. */
  readonly tag: string;
}

/** A session's cookie has about 350 characters; other encrypted cookies may be longer, none of them is a session. */
export const laravelValueLengthMax = 1024;

/** Base64 of `{"`: what every payload begins with, so that other cookies cost nothing. */
const payloadStart = 'eyJ';

/** The payload of an undecoded cookie value; undefined: it is none. */
export function laravelPayload(value: string): LaravelPayload | undefined {
  if (!value.startsWith(payloadStart) || value.length > laravelValueLengthMax) return undefined;
  // Padding is all that has to be percent-encoded in base64 of ASCII, and it tells the decoder nothing.
  let end = value.length;
  while (value.endsWith('%3D', end)) end -= 3;
  const text = Buffer.from(percentDecoded(value.slice(0, end)), 'base64').toString('latin1');
  return cut(text) ?? parsed(text);
}

const ivStart = '{"iv":"';
const valueStart = '","value":"';
const macStart = '","mac":"';
const tagStart = '","tag":"';
const tagEnd = '"}';

/** Undefined: not exactly of the usual shape. */
function cut(text: string): LaravelPayload | undefined {
  const iv = ivStart.length;
  const ivEnd = text.indexOf('"', iv);
  const value = ivEnd + valueStart.length;
  const valueEnd = text.indexOf('"', value);
  const mac = valueEnd + macStart.length;
  const macEnd = text.indexOf('"', mac);
  const tag = macEnd + tagStart.length;
  const end = text.length - tagEnd.length;
  const isUsual =
    text.startsWith(ivStart) &&
    text.startsWith(valueStart, ivEnd) &&
    text.startsWith(macStart, valueEnd) &&
    text.startsWith(tagStart, macEnd) &&
    text.indexOf('"', tag) === end &&
    text.endsWith(tagEnd) &&
    !text.includes('\\');
  if (!isUsual) return undefined;
  return {
    iv: text.slice(iv, ivEnd),
    value: text.slice(value, valueEnd),
    mac: text.slice(mac, macEnd),
    tag: text.slice(tag, end),
  };
}

function parsed(text: string): LaravelPayload | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null) return undefined;
  const { iv, value, mac, tag = '' } = json as Partial<Record<keyof LaravelPayload, unknown>>;
  if (typeof iv !== 'string' || typeof value !== 'string' || typeof mac !== 'string') return undefined;
  return typeof tag === 'string' ? { iv, value, mac, tag } : undefined;
}
