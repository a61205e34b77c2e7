/**
 * The schema as a flat list of keys: path, name in the environment, default, what is told about it. The
 * environment, the unknown-key check and the reference page read this list, so none of them can fall behind.
 *
 * Must not know values.
 */

import type { z } from 'zod';
import type { KeyMeta } from './values.ts';
import { schema } from './schema.ts';

export interface Key {
  /** `timeouts.bodyIdle`. */
  readonly path: string;
  /** `HOLDFAST_TIMEOUTS_BODY_IDLE`. */
  readonly environment: string;
  /** Has keys below it and no value of its own. */
  readonly branch: boolean;
  readonly kind: string;
  readonly secret: boolean;
  /** As it would be written; undefined: none. */
  readonly standard: unknown;
  readonly words: string;
}

/** What zod tells about a schema, as far as it is needed here. */
interface Definition {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly defaultValue?: unknown;
}

/** All keys in the order of the schema; a branch comes before what is below it. */
export const keys: readonly Key[] = keysBelow(schema, '');

export const keyByPath: ReadonlyMap<string, Key> = new Map(keys.map((key) => [key.path, key]));

/** `timeouts.bodyIdle` to `HOLDFAST_TIMEOUTS_BODY_IDLE`. */
export function environmentName(path: string): string {
  return `HOLDFAST_${path
    .replaceAll('.', '_')
    .replace(/[A-Z]/g, (capital) => `_${capital}`)
    .toUpperCase()}`;
}

/** The keys of a schema, each path beginning with `prefix`. */
export function keysBelow(object: z.ZodType, prefix: string): readonly Key[] {
  return [...below(object, prefix)];
}

function* below(object: z.ZodType, prefix: string): Generator<Key> {
  for (const [name, child] of Object.entries(unwrapped(object).shape ?? {})) {
    const path = prefix + name;
    const { meta, standard, shape } = unwrapped(child);
    yield {
      path,
      environment: environmentName(path),
      branch: shape !== undefined,
      kind: meta.kind ?? 'mapping',
      secret: meta.secret ?? false,
      standard: shape === undefined ? standard : undefined,
      words: meta.description ?? '',
    };
    if (shape !== undefined) yield* below(child, `${path}.`);
  }
}

interface Unwrapped {
  readonly meta: Partial<KeyMeta> & { readonly description?: string | undefined };
  readonly standard: unknown;
  readonly shape: Readonly<Record<string, z.ZodType>> | undefined;
}

/** Looks through optional, default and transform, collecting what each layer says; the outermost word wins. */
function unwrapped(outer: z.ZodType): Unwrapped {
  let meta: Unwrapped['meta'] = {};
  let standard: unknown;
  let current: z.ZodType | undefined = outer;
  let shape: Unwrapped['shape'];
  while (current !== undefined) {
    const definition = current.def as unknown as Definition;
    meta = { ...current.meta(), ...meta };
    if (definition.type === 'prefault') standard = definition.defaultValue;
    if (definition.type === 'object') shape = definition.shape;
    current = definition.innerType ?? definition.in;
  }
  return { meta, standard, shape };
}
