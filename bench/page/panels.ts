/** Small plots side by side with one vertical axis: does a request cost more where there is more of something? */

import { circle, family, line, linear, logarithmic, polygon, polyline, shortNumber, svg, text, ticks } from './svg.ts';
import type { Scale } from './svg.ts';
import type { Estimate } from '../statistics.ts';

export interface Panel {
  readonly title: string;
  readonly points: readonly number[];
  readonly lines: readonly { readonly name: string; readonly estimates: readonly Estimate[] }[];
}

const width = 860;
const left = 64;
const right = 840;
const top = 96;
const bottom = 300;
const gap = 44;

export function panelChart(given: {
  readonly title: string;
  readonly unit: string;
  readonly panels: readonly Panel[];
}): string {
  const { title, unit, panels } = given;
  const most = Math.max(
    ...panels.flatMap(({ lines }) => lines.flatMap(({ estimates }) => estimates.map((e) => e.high))),
  );
  const marks = ticks(most, 5);
  const y = linear([0, marks.at(-1)!], [bottom, top]);
  const each = (right - left - gap * (panels.length - 1)) / panels.length;
  const shapes = [text(24, 34, { content: title, kind: 'title' }), text(24, 58, { content: unit, kind: 'soft' })];
  for (const mark of marks) {
    shapes.push(text(left - 10, y(mark) + 4.5, { content: shortNumber(mark), anchor: 'end', kind: 'soft' }));
  }
  for (const [index, panel] of panels.entries()) {
    const from = left + index * (each + gap);
    for (const mark of marks) shapes.push(line([from, y(mark)], [from + each, y(mark)], mark === 0 ? 'axis' : 'grid'));
    const x = logarithmic([panel.points[0]!, panel.points.at(-1)!], [from + 14, from + each - 14]);
    shapes.push(...drawPanel(panel, { x, y, from }));
    shapes.push(text(from + each / 2, bottom + 44, { content: panel.title, anchor: 'middle', kind: 'soft' }));
  }
  const described = panels.map(({ title, lines }) => `${title}: ${lines.map(describe).join('; ')}`).join('. ');
  return svg({ width, height: bottom + 58, description: `${title}. ${described}`, shapes });
}

function drawPanel(
  { points, lines }: Panel,
  { x, y, from }: { readonly x: Scale; readonly y: Scale; readonly from: number },
): readonly string[] {
  const shapes = points.map((point) =>
    text(x(point), bottom + 20, { content: shortNumber(point), anchor: 'middle', kind: 'soft' }),
  );
  for (const { name, estimates } of lines) {
    const own = family(name);
    const at = (of: keyof Estimate) => points.map((point, index) => [x(point), y(estimates[index]![of])] as const);
    shapes.push(polygon([...at('low'), ...at('high').toReversed()], `band ${own}`));
    shapes.push(polyline(at('median'), `${own} line`));
    for (const place of at('median')) shapes.push(circle(place, 4, `${own} ring`));
    // Ours above its line, the other's below, where both lie close.
    const first = estimates[0]!;
    const base = own === 'own' ? y(first.high) - 12 : y(first.low) + 24;
    shapes.push(text(from + 12, base, { content: name, kind: own === 'own' ? 'strong' : 'soft' }));
  }
  return shapes;
}

function describe({ name, estimates }: Panel['lines'][number]): string {
  return `${name} ${estimates.map(({ median }) => median.toFixed(1)).join(', ')}`;
}
