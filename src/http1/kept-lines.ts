/**
 * Field lines as they are written: the ones of a head that was read and may go on, and ours beside them.
 *
 * Must not know which fields those are; the two forward-*.ts files decide that by traits.
 */

import assert from 'node:assert/strict';
import { type Field, trait } from './fields.ts';
import { isFieldValue, isTokenText, listMembers } from './grammar.ts';

export type AddedField = readonly [name: string, value: string];

interface ReadHead {
  readonly fields: readonly Field[];
  readonly source?: string | undefined;
}

/**
 * The lines of all fields that have none of the `dropped` traits and that Connection does not name away
 * (RFC 9110 section 7.6.1), as `Name: value CRLF`, in their order.
 * @param dropSetCookie asked for each Set-Cookie value; absent: all stay
 */
export function keptLines(head: ReadHead, dropped: number, dropSetCookie?: (value: string) => boolean): string {
  const { fields, source = '' } = head;
  const named = namedByConnection(fields);
  let text = '';
  // Lines that stand together and as they would be written are copied as one run.
  let start = 0;
  let end = 0;
  for (const field of fields) {
    const traits = field.traits ?? 0;
    if ((traits & dropped) !== 0) continue;
    if (named !== undefined && (traits & trait.unstrippable) === 0 && named.has(field.lower)) continue;
    if ((traits & trait.setCookie) !== 0 && dropSetCookie?.(field.value) === true) continue;
    if (field.start === end && field.end !== undefined) {
      end = field.end;
      continue;
    }
    if (end > start) text += source.substring(start, end);
    start = field.start ?? 0;
    end = field.end ?? 0;
    if (end === 0) text += `${field.name}: ${field.value}\r\n`;
  }
  return end > start ? text + source.substring(start, end) : text;
}

/**
 * What Connection names, in lower case; undefined where there is nothing beyond its usual options. A set, because a
 * hostile head has room for thousands of names.
 */
function namedByConnection(fields: readonly Field[]): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined;
  for (const { traits = 0, value } of fields) {
    if ((traits & trait.connection) === 0 || value === 'keep-alive' || value === 'close') continue;
    named ??= new Set();
    for (const name of listMembers(value)) named.add(name);
  }
  return named;
}

/**
 * One field line of ours.
 * @throws AssertionError where it would not be exactly one legal line: our mistake, never a peer's
 */
export function line(name: string, value: string): string {
  assert(isTokenText(name), `not a field name: ${JSON.stringify(name)}`);
  return `${name}: ${checked(value)}\r\n`;
}

/** The value. @throws AssertionError where it can not stand in a field line: our mistake, never a peer's */
export function checked(value: string): string {
  assert(isFieldValue(value), 'a field value of ours is not legal');
  return value;
}
