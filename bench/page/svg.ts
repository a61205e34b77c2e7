/**
 * What all plots are drawn with: shapes as text, one palette for light and dark, and axes with round numbers.
 *
 * Must not know what is plotted.
 */

export const fontSize = 13;

/** By class, so that one file serves both: the reader's browser says which it is. */
const style = `
text { font: ${fontSize}px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #24292f; }
.title { font-size: 16px; font-weight: 600; } .soft { fill: #656d76; } .strong { font-weight: 600; }
.paper { fill: #ffffff; } .grid { stroke: #d8dee4; stroke-width: 1; } .axis { stroke: #8c959f; stroke-width: 1; }
.whisker { stroke: #24292f; stroke-width: 1.5; fill: none; } circle.ring { stroke: #ffffff; stroke-width: 1.5; }
.own { fill: #bc4c00; stroke: #bc4c00; } .own2 { fill: #e8a06c; stroke: #e8a06c; } .own3 { fill: #f4d3bd; stroke: #f4d3bd; }
.other { fill: #57606a; stroke: #57606a; } .other2 { fill: #a5adb5; stroke: #a5adb5; } .other3 { fill: #d5dadf; stroke: #d5dadf; }
rect.bar { stroke: none; } polyline.line { fill: none; stroke-width: 2.5; stroke-linejoin: round; } .span { stroke-width: 3; opacity: .45; }
polygon.band { stroke: none; opacity: .18; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .soft { fill: #9198a1; } .paper { fill: #0d1117; } .grid { stroke: #272c33; } .axis { stroke: #656c76; }
.whisker { stroke: #e6edf3; } circle.ring { stroke: #0d1117; }
.own { fill: #ff9850; stroke: #ff9850; } .own2 { fill: #b8622b; stroke: #b8622b; } .own3 { fill: #6b3d20; stroke: #6b3d20; }
.other { fill: #9da7b1; stroke: #9da7b1; } .other2 { fill: #626b75; stroke: #626b75; } .other3 { fill: #3b424a; stroke: #3b424a; }
}`;

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** For those who do not see it. */
  readonly description: string;
  readonly shapes: readonly string[];
}

export function svg({ width, height, description, shapes }: Picture): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escape(description)}</title>
<style>${style}
</style>
<rect class="paper" width="${width}" height="${height}" rx="8"/>
${shapes.join('\n')}
</svg>
`;
}

export interface TextOptions {
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly kind?: string;
}

/** A line of text; `y` is its base line. */
export function text(
  x: number,
  y: number,
  { content, ...options }: { readonly content: string } & TextOptions,
): string {
  const { anchor = 'start', kind } = options;
  const named = kind === undefined ? '' : ` class="${kind}"`;
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"${named}>${escape(content)}</text>`;
}

export function line(from: readonly [number, number], to: readonly [number, number], kind: string): string {
  const [x1, y1, x2, y2] = [...from, ...to].map(round);
  return `<line class="${kind}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
}

export function rectangle(
  { x, y, width, height }: { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
  kind: string,
): string {
  return `<rect class="${kind}" x="${round(x)}" y="${round(y)}" width="${round(Math.max(0, width))}" height="${height}"/>`;
}

export function circle([x, y]: readonly [number, number], radius: number, kind: string): string {
  return `<circle class="${kind}" cx="${round(x)}" cy="${round(y)}" r="${radius}"/>`;
}

export function polygon(points: readonly (readonly [number, number])[], kind: string): string {
  return `<polygon class="${kind}" points="${points.map((point) => point.map(round).join(',')).join(' ')}"/>`;
}

export function polyline(points: readonly (readonly [number, number])[], kind: string): string {
  return `<polyline class="${kind}" points="${points.map((point) => point.map(round).join(',')).join(' ')}"/>`;
}

/** From a value to a place on the paper. */
export type Scale = (value: number) => number;

export function linear(domain: readonly [number, number], range: readonly [number, number]): Scale {
  return (value) => range[0] + ((value - domain[0]) / (domain[1] - domain[0])) * (range[1] - range[0]);
}

export function logarithmic(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const scale = linear([Math.log10(domain[0]), Math.log10(domain[1])], range);
  return (value) => scale(Math.log10(value));
}

/** Round numbers from 0 up to the first beyond `most`, about `count` of them. */
export function ticks(most: number, count: number): readonly number[] {
  const rough = most / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const last = Math.ceil(most / step);
  return Array.from({ length: last + 1 }, (_, index) => Number((index * step).toPrecision(6)));
}

/** 1, 2 and 5 times the powers of ten that lie within. */
export function logarithmicTicks([low, high]: readonly [number, number]): readonly number[] {
  const values: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const factor of [1, 2, 5]) values.push(Number((factor * 10 ** power).toPrecision(6)));
  }
  return values.filter((value) => value >= low && value <= high);
}

export function shortNumber(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (value >= 1e3) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(3)));
}

/** Holdfast has a colour of its own. */
export function family(name: string): 'own' | 'other' {
  return name.startsWith('Holdfast') ? 'own' : 'other';
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
