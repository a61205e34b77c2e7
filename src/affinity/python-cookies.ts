/**
 * Cookies as Python's frameworks read them: Django (django/http/cookie.py) takes the last of a name, Werkzeug under
 * Flask (werkzeug/_internal.py, sansio/http.py) the first, and lets a quoted value hold a ';'. Both trim what Unicode
 * calls white space (Flask since Werkzeug 2.3) and undo http.cookies' quoting.
 *
 * It matters even though no browser sends such lines: a session that the framework finds and the keeper does not is
 * served from whatever file is there, also after its logout.
 *
 * Must not know what a cookie means. Nothing here is slower than linear, whatever a client sends.
 */

/** The last cookie of the name, trimmed, still quoted; undefined: none. */
export function findDjangoCookie(line: string, name: string): string | undefined {
  let found: string | undefined;
  for (const cookie of unicodeText(line).split(';')) {
    const equals = cookie.indexOf('=');
    if (equals !== -1 && trimmed(cookie.slice(0, equals)) === name) found = trimmed(cookie.slice(equals + 1));
  }
  return found;
}

/**
 * The first cookie of the name, trimmed, still quoted; '' also for a name without '=', which hides later ones. Values
 * with a space or a stray quote are passed over, as by Werkzeug 3.1; earlier ones take them, but no id has such.
 */
export function findWerkzeugCookie(line: string, name: string): string | undefined {
  const text = unicodeText(line);
  for (let start = 0; start < text.length;) {
    let end = endOf(text, start);
    // Within this cookie only: a line of thousands without '=' is not searched to its end for each of them.
    const equals = start + text.slice(start, end).indexOf('=');
    if (equals >= start) {
      const quotedEnd = endOfQuoted(text, equals + 1);
      end = quotedEnd ?? end;
      if (trimmed(text.slice(start, equals)) === name) {
        const value = trimmed(text.slice(equals + 1, end));
        if (quotedEnd !== undefined || !/[ \t"]/.test(value)) return value;
      }
    } else if (trimmed(text.slice(start, end)) === name) {
      return '';
    }
    start = end + 1;
  }
  return undefined;
}

/** Without the quotes of http.cookies: `\ooo` is a byte in octal digits, `\x` the character itself. */
export function pythonUnquoted(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value;
  return value
    .slice(1, -1)
    .replace(/\\(?:([0-3][0-7][0-7])|(.))/g, (_all, octal: string | undefined, character: string | undefined) =>
      octal === undefined ? (character ?? '') : String.fromCharCode(Number.parseInt(octal, 8)),
    );
}

/** The end of the cookie whose value begins at `start` with a quoted text and nothing else; undefined: it does not. */
function endOfQuoted(text: string, start: number): number | undefined {
  let at = start;
  while (isBlank(text.charCodeAt(at))) at++;
  if (text[at] !== '"') return undefined;
  // A quote opens behind a '=' and the next unescaped one ends the search, so all searches of a line are one walk.
  for (at += 1; at < text.length && text[at] !== '"'; at++) {
    if (text[at] === '\\') at++;
  }
  if (at >= text.length) return undefined;
  for (at += 1; isBlank(text.charCodeAt(at)); at++);
  return at >= text.length || text[at] === ';' ? at : undefined;
}

function endOf(text: string, start: number): number {
  const end = text.indexOf(';', start);
  return end === -1 ? text.length : end;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** A field's bytes, one a character, as the UTF-8 that these frameworks take them for. */
function unicodeText(line: string): string {
  for (let index = 0; index < line.length; index++) {
    if (line.charCodeAt(index) > 0x7f) return Buffer.from(line, 'latin1').toString('utf8');
  }
  return line;
}

/** str.strip(), without the control characters that no field may have. */
function trimmed(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isSpace(code: number): boolean {
  if (isBlank(code)) return true;
  if (code < 0x80) return false;
  return (
    code === 0x85 ||
    code === 0xa0 ||
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000
  );
}
