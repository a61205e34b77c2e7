/**
 * The kinds of values that the configuration is made of, as zod types: how each is spelled, what it becomes,
 * and the words for what is wrong. The words never hold the value: problems.ts decides whether it may be shown.
 *
 * Must not know which keys exist.
 */

import { isIP } from 'node:net';
import { z } from 'zod';
import { parseAddress } from '../base/address.ts';
import { parseSecret } from '../base/keyring.ts';

/** What is told about a key besides its type: in the reference page, and to whom problems show its value. */
export interface KeyMeta {
  /** The spelling, for the reference page. */
  readonly kind: string;
  /** A secret's value is never shown. */
  readonly secret?: boolean;
  [name: string]: unknown;
}

const durationUnitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const sizeUnits: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Timers hold 31 bits of milliseconds; the round figure below that is the longest deadline. */
export const deadlineMaxMs = 24 * 86_400_000;
const lifetimeMaxMs = 400 * 86_400_000;
const namesMax = 10_000;

/** `500ms`, `10s`, `5m`, `2h`, `1d`, in milliseconds. */
export function duration(options: { readonly minMs?: number; readonly maxMs?: number } = {}) {
  const { minMs = 1, maxMs = deadlineMaxMs } = options;
  const words = 'is not a duration such as 500ms, 10s, 5m, 2h or 1d';
  return z
    .union([z.literal(0), z.string().regex(/^\d{1,9}(?:ms|s|m|h|d)$/, words)], { error: words })
    .transform((text) => {
      const match = /^(\d+)([a-z]+)$/.exec(String(text));
      return match === null ? 0 : Number(match[1]) * (durationUnitsMs[match[2]!] ?? 1);
    })
    .refine((ms) => ms >= minMs && ms <= maxMs, { error: `is not between ${minMs} ms and ${maxMs / 86_400_000} days` })
    .meta({ kind: 'duration' } satisfies KeyMeta);
}

export function lifetime() {
  return duration({ minMs: 60_000, maxMs: lifetimeMaxMs });
}

/** `32k`, `1m`, `1g` or plain bytes; k is 1024. `0` stays 0. */
export function size() {
  const words = 'is not a size such as 32k, 1m or 65536';
  return z
    .union([z.int(words).min(0, words), z.string().regex(/^\d{1,9}[kmg]?$/i, words)], { error: words })
    .transform((text) => {
      const match = /^(\d+)([kmg]?)$/.exec(String(text).toLowerCase());
      return match === null ? 0 : Number(match[1]) * (sizeUnits[match[2]!] ?? 1);
    })
    .refine((bytes) => bytes <= 1024 ** 4, { error: 'is more than 1024g' })
    .meta({ kind: 'size' } satisfies KeyMeta);
}

export function count(options: { readonly min: number; readonly max: number }) {
  const words = `is not a whole number from ${options.min} to ${options.max}`;
  return z
    .int({ error: words })
    .min(options.min, { error: words })
    .max(options.max, { error: words })
    .meta({ kind: 'number' } satisfies KeyMeta);
}

export function flag() {
  return z.boolean({ error: 'is neither true nor false' }).meta({ kind: 'true or false' } satisfies KeyMeta);
}

export function choice<const T extends readonly [string, ...string[]]>(words: T) {
  return z
    .enum(words, { error: `is none of ${words.join(', ')}` })
    .meta({ kind: words.join(' \\| ') } satisfies KeyMeta);
}

/** `host:port`. `min`: 0 where "any free port" makes sense. */
export function address(options: { readonly portMin: number }) {
  return z
    .string({ error: 'is not host:port' })
    .transform((text, context) => {
      const parsed = parseAddress(text);
      if (parsed !== undefined && parsed.port >= options.portMin) return parsed;
      context.addIssue({ code: 'custom', message: 'is not host:port' });
      return z.NEVER;
    })
    .meta({ kind: 'host:port' } satisfies KeyMeta);
}

/** Text of a given pattern. `what` completes "is not ...". */
export function text(pattern: RegExp, what: string) {
  return z
    .string({ error: `is not ${what} (text; put it in quotes where it looks like something else)` })
    .regex(pattern, { error: `is not ${what}` })
    .meta({ kind: what } satisfies KeyMeta);
}

/** An absolute or relative path on this machine. */
export function path() {
  return text(/^[^\0]{1,4096}$/, 'a path');
}

/** A list of texts; one text alone counts as a list of one. */
export function texts(pattern: RegExp, what: string) {
  const one = z.string(`is not ${what}`).regex(pattern, `is not ${what}`);
  return z
    .union([one.transform((entry) => [entry]), z.array(one).max(namesMax)], {
      error: `is not ${what}, or a list of them`,
    })
    .meta({ kind: `list, each ${what}` } satisfies KeyMeta);
}

/** A secret of at least 16 bytes; `base64:` is decoded. */
export function secret() {
  return z
    .string({ error: 'is not text; put it in quotes where it looks like a number' })
    .transform((given, context) => {
      const parsed = parseSecret(given);
      if (parsed !== undefined) return parsed;
      context.addIssue({ code: 'custom', message: 'is shorter than 16 bytes, which is too little for a secret' });
      return z.NEVER;
    })
    .meta({ kind: 'secret', secret: true } satisfies KeyMeta);
}

/** One secret or several in rotation: the first signs and seals, all verify and open. */
export function secrets() {
  return z
    .union([secret().transform((one): [Buffer, ...Buffer[]] => [one]), z.tuple([secret()], secret())], {
      error: 'is not a secret of at least 16 bytes, or a list of them',
    })
    .meta({ kind: 'secret, or a list', secret: true } satisfies KeyMeta);
}

/** Networks in CIDR spelling, or single addresses. */
export function networks() {
  const words = { error: 'is not a network such as 10.0.0.0/8' };
  const one = z.string(words).refine(isNetwork, words);
  return z
    .union([one.transform((network) => [network]), z.array(one).max(namesMax)], {
      error: 'is not a list of networks such as 10.0.0.0/8',
    })
    .meta({ kind: 'list of networks' } satisfies KeyMeta);
}

function isNetwork(text: string): boolean {
  const [ip = '', bits, ...rest] = text.split('/');
  const family = isIP(ip);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
