/** For each contender three percentiles on one line, on a logarithmic axis: how far the slow answers lie from the usual. */

import { circle, family, line, logarithmic, logarithmicTicks, shortNumber, svg, text } from './svg.ts';

export interface Percentiles {
  readonly name: string;
  /** In milliseconds: p50, p99, p99.9. */
  readonly values: readonly [number, number, number];
}

const width = 860;
const left = 210;
const right = 830;
const top = 80;
const rowHeight = 30;
const radii = [6.5, 5.5, 4.5];
const names = ['p50', 'p99', 'p99.9'];

export function dotChart({ title, rows }: { readonly title: string; readonly rows: readonly Percentiles[] }): string {
  const sorted = [...rows].sort((a, b) => a.values[1] - b.values[1]);
  const bottom = top + sorted.length * rowHeight;
  const all = sorted.flatMap(({ values }) => values);
  const domain = [Math.min(...all) / 1.4, Math.max(...all) * 1.4] as const;
  const x = logarithmic(domain, [left, right]);
  const shapes = [text(24, 34, { content: title, kind: 'title' })];
  for (const [index, content] of names.entries()) {
    const at = 30 + index * 76;
    shapes.push(circle([at, 55], radii[index]!, kindOf('own', index)));
    shapes.push(circle([at + 13, 55], radii[index]!, kindOf('other', index)));
    shapes.push(text(at + 24, 59.5, { content, kind: 'soft' }));
  }
  for (const mark of logarithmicTicks(domain)) {
    shapes.push(line([x(mark), top], [x(mark), bottom], 'grid'));
    shapes.push(text(x(mark), bottom + 18, { content: shortNumber(mark), anchor: 'middle', kind: 'soft' }));
  }
  for (const [row, { name, values }] of sorted.entries()) {
    const own = family(name);
    const middle = top + (row + 0.5) * rowHeight;
    const kind = own === 'own' ? { kind: 'strong' } : {};
    shapes.push(text(left - 12, middle + 4.5, { content: name, anchor: 'end', ...kind }));
    shapes.push(line([x(values[0]), middle], [x(values[2]), middle], `span ${own}`));
    // The usual answer is drawn last, on top where they lie close.
    for (const index of [2, 1, 0]) {
      shapes.push(circle([x(values[index]!), middle], radii[index]!, `${kindOf(own, index)} ring`));
    }
  }
  const unit = 'milliseconds from the planned moment to the last byte, logarithmic';
  shapes.push(text((left + right) / 2, bottom + 40, { content: unit, anchor: 'middle', kind: 'soft' }));
  const described = sorted.map(({ name, values }) => `${name} ${values.map((value) => value.toFixed(2)).join(' / ')}`);
  return svg({ width, height: bottom + 54, description: `${title}: ${described.join(', ')} ms`, shapes });
}

function kindOf(own: 'own' | 'other', percentile: number): string {
  return percentile === 0 ? own : `${own}${percentile + 1}`;
}
