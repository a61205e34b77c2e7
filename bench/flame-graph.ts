/**
 * A flame graph from a CPU profile: `node bench/flame-graph.ts PROFILE.cpuprofile TITLE > OUT.svg`. Profiles come from
 * `node --cpu-prof`, or from the inspector. Width is time, each frame stands on its caller; idle time is left out.
 */

import { readFileSync } from 'node:fs';
import { rectangle, svg, text } from './page/svg.ts';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Frames of one name below one caller. */
interface Frame {
  readonly name: string;
  readonly own: boolean;
  us: number;
  readonly callees: Map<string, Frame>;
}

const width = 1200;
const margin = 10;
const rowHeight = 17;
const top = 50;
/** Narrower frames are not drawn. */
const leastWidth = 1.5;
const letterWidth = 7;
/** Not work: waiting, and the profiler itself. */
const leftOut = ['(idle)', 'post'];

const [file, title] = process.argv.slice(2);
if (file === undefined || title === undefined) throw new Error('PROFILE.cpuprofile and TITLE are wanted');
process.stdout.write(draw(readFrames(JSON.parse(readFileSync(file, 'utf8')) as Profile), title));

function readFrames({ nodes, samples, timeDeltas }: Profile): Frame {
  const us = new Map<number, number>();
  for (const [index, id] of samples.entries()) us.set(id, (us.get(id) ?? 0) + timeDeltas[index]!);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const root: Frame = { name: 'all', own: false, us: 0, callees: new Map() };
  const add = (node: ProfileNode, caller: Frame): number => {
    const { functionName, url } = node.callFrame;
    if (leftOut.includes(functionName) && !url.startsWith('file:')) return 0;
    const place = url.replace(/.*\/(?:src|node_modules)\//, '').replace(/^node:internal\//, 'node:');
    const name = `${functionName === '' ? '(anonymous)' : functionName}${place === '' ? '' : ` ${place}`}`;
    const frame = caller.callees.get(name) ?? { name, own: url.includes('/src/'), us: 0, callees: new Map() };
    caller.callees.set(name, frame);
    let sum = us.get(node.id) ?? 0;
    for (const child of node.children ?? []) sum += add(byId.get(child)!, frame);
    frame.us += sum;
    return sum;
  };
  for (const child of nodes[0]!.children ?? []) root.us += add(byId.get(child)!, root);
  return root;
}

function draw(root: Frame, description: string): string {
  const perUs = (width - 2 * margin) / root.us;
  const drawn: { frame: Frame; x: number; depth: number }[] = [];
  const place = (frame: Frame, x: number, depth: number): void => {
    if (frame.us * perUs < leastWidth) return;
    drawn.push({ frame, x, depth });
    let at = x;
    for (const callee of [...frame.callees.values()].sort((one, other) => other.us - one.us)) {
      place(callee, at, depth + 1);
      at += callee.us * perUs;
    }
  };
  place(root, margin, 0);
  const depths = Math.max(...drawn.map(({ depth }) => depth)) + 1;
  const height = top + depths * rowHeight + margin;
  const shapes = [text(margin, 25, { content: description, kind: 'title' })];
  for (const { frame, x, depth } of drawn) {
    const y = height - margin - (depth + 1) * rowHeight;
    const own = frame.us * perUs;
    const kind = `${frame.own ? 'own' : 'other'}${2 + (depth % 2)}`;
    shapes.push(rectangle({ x, y, width: own - 0.5, height: rowHeight - 1 }, kind));
    const letters = Math.floor((own - 4) / letterWidth);
    const share = `${((100 * frame.us) / root.us).toFixed(0)} %`;
    const label = `${frame.name} ${share}`;
    if (letters >= 4) shapes.push(text(x + 2, y + 12, { content: label.slice(0, letters) }));
  }
  return svg({ width, height, description, shapes });
}
