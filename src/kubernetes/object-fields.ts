/** Looking into objects of the API server, which may be of any shape. */

/** The object's own value of that name; undefined where there is none, or no object. */
export function field(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null && Object.hasOwn(object, name)
    ? (object as Record<string, unknown>)[name]
    : undefined;
}

/** The value at a path of names; undefined where there is none. */
export function valueAt(object: unknown, path: readonly string[]): unknown {
  return path.reduce(field, object);
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
