/**
 * One YAML document with a changed value: only what has changed is written anew, so that the order of keys, comments and
 * the style of everything else stay as they were. JSON stays JSON. Pure.
 */

import { type Document, isMap, isScalar, isSeq, type Node, stringify, visit } from 'yaml';
import { jsonPatch, type PatchOperation, pointerSteps } from './json-patch.ts';

export interface DocumentChange {
  /** The document's own text, with what stands before it. */
  readonly source: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Long lines stay long: folding would change what people compare. */
const style = { lineWidth: 0 } as const;

/**
 * The document's text. One with anchors that others refer to is written as a whole, without its comments: a part of it
 * stands in several places.
 */
export function writeDocument(document: Document.Parsed, { source, before, after }: DocumentChange): string {
  const operations = jsonPatch(before, after);
  if (operations.length === 0) return source;
  if (isJson(source)) return `${JSON.stringify(after, null, 2)}\n`;
  const indentSeq = indentsLists(source);
  if (hasAliases(document)) return `---\n${stringify(after, { ...style, indentSeq, aliasDuplicateObjects: false })}`;
  for (const operation of operations) apply(document, operation);
  return document.toString({ ...style, indentSeq });
}

function isJson(source: string): boolean {
  if (!source.trimStart().startsWith('{')) return false;
  try {
    JSON.parse(source);
    return true;
  } catch {
    return false;
  }
}

/** Whether `- ` stands further right than the key above it; Kubernetes' own tools write it below. */
function indentsLists(source: string): boolean {
  const match = /^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*( *)- /m.exec(source);
  return match !== null && (match[2] ?? '').length > (match[1] ?? '').length;
}

function hasAliases(document: Document.Parsed): boolean {
  let found = false;
  visit(document, {
    Alias() {
      found = true;
      return visit.BREAK;
    },
  });
  return found;
}

function apply(document: Document.Parsed, operation: PatchOperation): void {
  const steps = [...pointerSteps(operation.path)];
  const last = steps.pop();
  const parent = steps.reduce<unknown>(child, document.contents);
  const node = operation.op === 'remove' ? undefined : document.createNode(operation.value);
  if (isMap(parent) && last !== undefined) {
    const index = parent.items.findIndex((pair) => keyText(pair.key) === last);
    if (index < 0) parent.items.push(document.createPair(last, node));
    else if (node === undefined) parent.items.splice(index, 1);
    else parent.items[index]!.value = replaced(parent.items[index]!.value, node);
  } else if (isSeq(parent)) {
    const isReplaced = operation.op !== 'add';
    parent.items.splice(Number(last), isReplaced ? 1 : 0, ...(node === undefined ? [] : [node]));
    // What was `[]` would go on in one line.
    if (operation.op === 'add' && parent.items.length === 1) parent.flow = false;
  } else {
    throw new TypeError(`${operation.path} leads nowhere in the document`);
  }
}

/** The new node; a scalar keeps the comment beside it. */
function replaced(before: unknown, node: Node): Node {
  if (isScalar(before) && isScalar(node) && typeof before.comment === 'string') node.comment = before.comment;
  return node;
}

function child(parent: unknown, step: string): Node | null | undefined {
  if (isSeq(parent)) return parent.items[Number(step)] as Node | undefined;
  if (!isMap(parent)) return undefined;
  return parent.items.find((pair) => keyText(pair.key) === step)?.value as Node | undefined;
}

function keyText(key: unknown): string {
  return String(isScalar(key) ? key.value : key);
}
