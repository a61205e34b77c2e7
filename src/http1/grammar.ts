/**
 * Which bytes may stand where: the character classes of RFC 9110 section 5 and RFC 3986, as tables of 256 bytes.
 *
 * Must not know lines, heads or bodies. Everything here is ASCII arithmetic: no locale, no Unicode case folding
 * (`"\u212A".toLowerCase()` is "k", which is how a field gets past a filter that compares folded text).
 */

export const CR = 13;
export const LF = 10;
export const SP = 32;
export const HTAB = 9;
export const COLON = 58;

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const digits = '0123456789';

function table(allowed: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (allowed(byte) ? 1 : 0));
}

function among(characters: string): (byte: number) => boolean {
  return (byte) => characters.includes(String.fromCharCode(byte));
}

const isToken = among(`!#$%&'*+-.^_\`|~${digits}${letters}`);

/** tchar (RFC 9110 section 5.6.2) in lower case; 0 for every other byte. */
export const tokenLower: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (!isToken(byte)) return 0;
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
});

/** Bytes of a field value or reason phrase: HTAB, SP, VCHAR, obs-text (RFC 9110 section 5.5). */
export const valueByte = table((byte) => byte === HTAB || (byte >= SP && byte !== 127));

/**
 * Bytes of a request target: VCHAR without "#". Looser than RFC 3986 by `"`, `<`, `>`, `\`, `^`, `|`, `{`, `}` and
 * the backquote, which browsers send; none of them ends or splits a target for anyone.
 */
export const targetByte = table((byte) => byte > SP && byte < 127 && byte !== 35);

/** unreserved and sub-delims: what a reg-name may have besides percent-encoded bytes (RFC 3986 section 3.2.2). */
export const hostByte = table(among(`-._~!$&'()*+,;=${digits}${letters}`));

/** The value of a hexadecimal digit; 255 for every other byte. */
export const hexValue: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const value = '0123456789abcdef'.indexOf(
    String.fromCharCode(byte).replace(/[A-F]/, (letter) => letter.toLowerCase()),
  );
  return value < 0 ? 255 : value;
});

/** Whether the text is a token (RFC 9110 section 5.6.2): a method, a field name, a list option. */
export function isTokenText(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 255 || tokenLower[code] === 0) return false;
  }
  return text !== '';
}

/** Any character that `valueByte` has not. A pattern, since it looks at long values several times as fast as a loop. */
const noValueCharacter = /[^\t\x20-\x7e\x80-\xff]/;

/** Whether the text may stand in a field value as it is: latin1 without control bytes, no white space at its ends. */
export function isFieldValue(text: string): boolean {
  if (noValueCharacter.test(text)) return false;
  return text === '' || !(isBlank(text.charCodeAt(0)) || isBlank(text.charCodeAt(text.length - 1)));
}

/** Lower case by ASCII alone; other characters stay as they are. */
export function asciiLower(text: string): string {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) > 127) return text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
  }
  return text.toLowerCase();
}

/**
 * The members of a comma-separated list (RFC 9110 section 5.6.1), in ASCII lower case, without empty ones.
 * Quoted strings are not understood: for Connection, Upgrade, Expect and Transfer-Encoding, which have none.
 */
export function listMembers(value: string): string[] {
  const members: string[] = [];
  for (const part of value.split(',')) {
    const member = trimBlanks(part);
    if (member !== '') members.push(asciiLower(member));
  }
  return members;
}

const usualLists: Readonly<Record<string, readonly string[]>> = { 'keep-alive': ['keep-alive'], close: ['close'] };

/** The members so far and those of one more line of the same field. */
export function withMembers(members: readonly string[], value: string): readonly string[] {
  const usual = value === 'keep-alive' || value === 'close' ? usualLists[value] : undefined;
  if (members.length === 0) return usual ?? listMembers(value);
  return [...members, ...listMembers(value)];
}

/** Without the SP and HTAB at both ends; `trim()` would take obs-text such as NBSP too. */
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === SP || code === HTAB;
}
