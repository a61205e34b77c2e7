/**
 * New inputs from old ones: bytes, words of the target's language, lines and pieces of other inputs are put in,
 * taken out, doubled and exchanged.
 */

import { below, type Chance } from '../support/seeded.ts';

/** Bytes that languages of lines, numbers and lists are sensitive to. */
const telling = Buffer.from('\0\t\n\r "#%&\'*+,-./0129:;<=>?@AFZ[\\]_`afxz{|}~\x7f\x80\xa0\xc2\xff', 'latin1');

export const inputBytesMax = 4096;

export interface Material {
  readonly pool: readonly Buffer[];
  readonly words: readonly Buffer[];
}

/** One to six changes, one upon the other. */
export function mutated(input: Buffer, material: Material, chance: Chance): Buffer {
  let bytes = input;
  for (let left = 1 + below(chance, 6); left > 0; left--)
    bytes = changes[below(chance, changes.length)]!(bytes, material, chance);
  return bytes.length > inputBytesMax ? bytes.subarray(0, inputBytesMax) : bytes;
}

type Change = (bytes: Buffer, material: Material, chance: Chance) => Buffer;

/** Puts something in the place of bytes[from..to). */
function replaced(bytes: Buffer, [from, to]: readonly [number, number], by: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)]);
}

/** A stretch of the bytes, short ones mostly; empty only where there are none. */
function stretch(bytes: Buffer, chance: Chance): readonly [number, number] {
  const from = below(chance, bytes.length);
  const longest = bytes.length - from;
  return [from, Math.min(bytes.length, from + 1 + below(chance, chance() < 0.7 ? Math.min(8, longest) : longest))];
}

function lineStretch(bytes: Buffer, chance: Chance): readonly [number, number] {
  const at = below(chance, bytes.length + 1);
  const from = bytes.lastIndexOf(10, Math.max(0, at - 1)) + 1;
  const end = bytes.indexOf(10, at);
  return [Math.min(from, at), end === -1 ? bytes.length : end + 1];
}

function place(bytes: Buffer, chance: Chance): readonly [number, number] {
  const at = below(chance, bytes.length + 1);
  return [at, at];
}

const changes: readonly Change[] = [
  (bytes, _, chance) => replaced(bytes, place(bytes, chance), Buffer.of(telling[below(chance, telling.length)]!)),
  (bytes, _, chance) => replaced(bytes, stretch(bytes, chance), Buffer.of(telling[below(chance, telling.length)]!)),
  (bytes, _, chance) => replaced(bytes, stretch(bytes, chance), Buffer.alloc(0)),
  (bytes, _, chance) => replaced(bytes, place(bytes, chance), Buffer.of(below(chance, 256))),
  (bytes, _, chance) => {
    if (bytes.length === 0) return bytes;
    const changed = Buffer.from(bytes);
    changed[below(chance, bytes.length)]! ^= 1 << below(chance, 8);
    return changed;
  },
  // A number, one off.
  (bytes, _, chance) => {
    const digits = [...bytes.entries()].filter(([, byte]) => byte >= 48 && byte <= 57);
    if (digits.length === 0) return bytes;
    const [at, digit] = digits[below(chance, digits.length)]!;
    return replaced(bytes, [at, at + 1], Buffer.of(48 + ((digit - 48 + (chance() < 0.5 ? 1 : 9)) % 10)));
  },
  (bytes, _, chance) => {
    const [from, to] = stretch(bytes, chance);
    return replaced(bytes, place(bytes, chance), bytes.subarray(from, to));
  },
  (bytes, _, chance) => {
    const [from, to] = lineStretch(bytes, chance);
    const times = chance() < 0.9 ? 1 : below(chance, 120);
    return replaced(bytes, [to, to], Buffer.concat(Array.from({ length: times }, () => bytes.subarray(from, to))));
  },
  (bytes, _, chance) => replaced(bytes, lineStretch(bytes, chance), Buffer.alloc(0)),
  (bytes, _, chance) => {
    const [from, to] = lineStretch(bytes, chance);
    const moved = bytes.subarray(from, to);
    const rest = replaced(bytes, [from, to], Buffer.alloc(0));
    const [at] = lineStretch(rest, chance);
    return replaced(rest, [at, at], moved);
  },
  ...Array.from(
    { length: 4 },
    (): Change =>
      (bytes, { words }, chance) =>
        words.length === 0 ? bytes : replaced(bytes, place(bytes, chance), words[below(chance, words.length)]!),
  ),
  (bytes, { words }, chance) =>
    words.length === 0 ? bytes : replaced(bytes, stretch(bytes, chance), words[below(chance, words.length)]!),
  // The beginning of this one, the end of another.
  (bytes, { pool }, chance) => {
    const other = pool[below(chance, pool.length)] ?? bytes;
    return Buffer.concat([
      bytes.subarray(0, below(chance, bytes.length + 1)),
      other.subarray(below(chance, other.length + 1)),
    ]);
  },
  (bytes, { pool }, chance) => {
    const other = pool[below(chance, pool.length)] ?? bytes;
    const [from, to] = stretch(other, chance);
    return replaced(bytes, place(bytes, chance), other.subarray(from, to));
  },
];
