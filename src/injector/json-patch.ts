/**
 * The difference of two JSON values as a JSON Patch (RFC 6902): `add`, `remove` and `replace`, deep enough that nothing
 * is replaced as a whole of which only a part has changed.
 *
 * Lists are compared place by place between what they have in common at both ends, which is small and exact for what the
 * injector does: items are changed in place, or added. Pure.
 */

export type Json = unknown;

export type PatchOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: Json }
  | { readonly op: 'remove'; readonly path: string };

/** What turns `before` into `after`, to be applied in order. Empty where they are the same. */
export function jsonPatch(before: Json, after: Json): readonly PatchOperation[] {
  const operations: PatchOperation[] = [];
  compare(before, after, '', operations);
  return operations;
}

/** The steps of a JSON Pointer (RFC 6901). */
export function pointerSteps(path: string): readonly string[] {
  return path
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function compare(before: Json, after: Json, path: string, operations: PatchOperation[]): void {
  if (Object.is(before, after)) return;
  if (Array.isArray(before) && Array.isArray(after)) compareLists(before, after, path, operations);
  else if (isMapping(before) && isMapping(after)) compareMappings(before, after, path, operations);
  else operations.push({ op: 'replace', path, value: after });
}

type Mapping = Readonly<Record<string, Json>>;

function compareMappings(before: Mapping, after: Mapping, path: string, operations: PatchOperation[]): void {
  for (const name of Object.keys(before)) {
    if (!Object.hasOwn(after, name)) operations.push({ op: 'remove', path: below(path, name) });
  }
  for (const [name, value] of Object.entries(after)) {
    if (Object.hasOwn(before, name)) compare(before[name], value, below(path, name), operations);
    else operations.push({ op: 'add', path: below(path, name), value });
  }
}

function compareLists(
  before: readonly Json[],
  after: readonly Json[],
  path: string,
  operations: PatchOperation[],
): void {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && same(before[head], after[head])) head++;
  let tail = 0;
  while (tail < shorter - head && same(before[before.length - 1 - tail], after[after.length - 1 - tail])) tail++;
  const [removedTo, addedTo] = [before.length - tail, after.length - tail];
  const changedTo = Math.min(removedTo, addedTo);
  for (let index = head; index < changedTo; index++) {
    compare(before[index], after[index], below(path, String(index)), operations);
  }
  // From the end, so that the places before stay what they are.
  for (let index = removedTo - 1; index >= changedTo; index--) {
    operations.push({ op: 'remove', path: below(path, String(index)) });
  }
  for (let index = changedTo; index < addedTo; index++) {
    operations.push({ op: 'add', path: below(path, String(index)), value: after[index] });
  }
}

function same(one: Json, other: Json): boolean {
  return jsonPatch(one, other).length === 0;
}

function isMapping(value: Json): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function below(path: string, step: string): string {
  return `${path}/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
