/**
 * The page for people: what the process is, whether it is ready, its pods and a few numbers. Plain HTML that
 * asks for itself again every two seconds; no script, nothing from elsewhere.
 *
 * Must not know how it is served. Everything that is shown is escaped here.
 */

import type { Condition, PodView } from './window.ts';

export interface Status {
  readonly title: string;
  readonly ready: Condition;
  readonly pods: readonly PodView[];
  readonly figures: readonly (readonly [words: string, value: string])[];
}

/** What the page may do in a browser: show itself. */
export const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

const podRowsMax = 500;

const style = `
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1d2733 }
  h1 { font-size: 1.3rem; margin: 0 } h2 { font-size: 1rem; margin: 2rem 0 .5rem }
  table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #dde3ea }
  th { font-weight: 600; color: #5a6b7d } .number { text-align: right; font-variant-numeric: tabular-nums }
  .state::before { content: "\\25cf  "; color: #c0392b } .ready::before { color: #27864a } .draining::before { color: #c78a0a }
  p { margin: .2rem 0; color: #5a6b7d }`;

/** The whole document. */
export function statusPage(status: Status): string {
  const { title, ready, pods, figures } = status;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="2">
<title>Holdfast: ${escaped(title)}</title>
<style>${style}</style>
<h1>Holdfast <small>${escaped(title)}</small></h1>
<p class="state ${ready.ok ? 'ready' : 'not-ready'}">${ready.ok ? 'ready' : 'not ready'}: ${escaped(ready.reason)}</p>
<h2>Pods</h2>
<table>
<tr><th>name<th>state<th>why<th class="number">in flight</tr>
${pods.slice(0, podRowsMax).map(podRow).join('\n')}
</table>
<h2>Numbers</h2>
<table>
${figures.map(([words, value]) => `<tr><td>${escaped(words)}<td class="number">${escaped(value)}</tr>`).join('\n')}
</table>
</html>
`;
}

function podRow(pod: PodView): string {
  return `<tr><td>${escaped(pod.name)}<td class="state ${escaped(pod.state)}">${escaped(pod.state)}<td>${escaped(
    pod.why,
  )}<td class="number">${pod.inFlight}</tr>`;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
