/** Lying bars, one for each contender, the smallest on top: two parts of a whole and its interval. */

import { family, line, linear, rectangle, shortNumber, svg, text, ticks } from './svg.ts';
import type { Estimate } from '../statistics.ts';

export interface Bar {
  readonly name: string;
  readonly estimate: Estimate;
  /** Parts of the median, from the left; one where there are no parts. */
  readonly parts: readonly number[];
}

export interface BarChart {
  readonly title: string;
  readonly unit: string;
  /** What the parts are, in their order. */
  readonly legend: readonly string[];
  readonly bars: readonly Bar[];
  readonly digits: number;
}

const width = 860;
const left = 210;
const right = 760;
const top = 74;
const rowHeight = 30;
const barHeight = 18;
const whiskerHeight = 8;

export function barChart({ title, unit, legend, bars, digits }: BarChart): string {
  const sorted = [...bars].sort((a, b) => a.estimate.median - b.estimate.median);
  const bottom = top + sorted.length * rowHeight;
  const marks = ticks(Math.max(...sorted.map(({ estimate }) => estimate.high)), 6);
  const x = linear([0, marks.at(-1)!], [left, right]);
  const shapes = [text(24, 34, { content: title, kind: 'title' })];
  let legendAt = 24;
  for (const [index, content] of legend.entries()) {
    shapes.push(rectangle({ x: legendAt, y: 46, width: 8, height: 12 }, `bar ${kindOf('own', index)}`));
    shapes.push(rectangle({ x: legendAt + 8, y: 46, width: 8, height: 12 }, `bar ${kindOf('other', index)}`));
    shapes.push(text(legendAt + 22, 57, { content, kind: 'soft' }));
    legendAt += 46 + content.length * 7;
  }
  for (const mark of marks) {
    shapes.push(line([x(mark), top], [x(mark), bottom], 'grid'));
    shapes.push(text(x(mark), bottom + 18, { content: shortNumber(mark), anchor: 'middle', kind: 'soft' }));
  }
  for (const [row, bar] of sorted.entries()) {
    const middle = top + (row + 0.5) * rowHeight;
    shapes.push(...drawBar(bar, { middle, x, digits }));
  }
  shapes.push(line([left, top], [left, bottom], 'axis'));
  shapes.push(text((left + right) / 2, bottom + 40, { content: unit, anchor: 'middle', kind: 'soft' }));
  return svg({ width, height: bottom + 54, description: `${title}: ${describe(sorted, digits)}`, shapes });
}

function drawBar(
  { name, estimate, parts }: Bar,
  { middle, x, digits }: { readonly middle: number; readonly x: (value: number) => number; readonly digits: number },
): readonly string[] {
  const own = family(name);
  const base = middle + 4.5;
  const shapes = [
    text(left - 12, base, { content: name, anchor: 'end', ...(own === 'own' ? { kind: 'strong' } : {}) }),
  ];
  let from = 0;
  for (const [index, part] of parts.entries()) {
    const bar = { x: x(from), y: middle - barHeight / 2, width: x(from + part) - x(from), height: barHeight };
    shapes.push(rectangle(bar, `bar ${kindOf(own, index)}`));
    from += part;
  }
  const [low, high] = [x(estimate.low), x(estimate.high)];
  // What was measured once has no interval.
  if (low < high) {
    shapes.push(line([low, middle], [high, middle], 'whisker'));
    for (const end of [low, high]) {
      shapes.push(line([end, middle - whiskerHeight / 2], [end, middle + whiskerHeight / 2], 'whisker'));
    }
  }
  shapes.push(text(Math.max(high, x(estimate.median)) + 10, base, { content: estimate.median.toFixed(digits) }));
  return shapes;
}

function kindOf(own: 'own' | 'other', part: number): string {
  return part === 0 ? own : `${own}2`;
}

function describe(bars: readonly Bar[], digits: number): string {
  return bars.map(({ name, estimate }) => `${name} ${estimate.median.toFixed(digits)}`).join(', ');
}
