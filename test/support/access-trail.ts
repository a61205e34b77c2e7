/**
 * Who served what: the access lines that name a virtual user's requests, and the other log lines, of all processes of a
 * deployment, as they come. Bounded; the newest stay.
 *
 * Must not know what a good answer is.
 */

interface TrailLine {
  readonly process: string;
  readonly text: string;
  readonly atMs: number;
}

const linesPerUserMax = 240;
const otherLinesMax = 4000;
const reportedLinesMax = 120;
/** Nobody writes longer lines. */
const partialCharsMax = 64 * 1024;

const named = /"path":"[^"]*[?&]r=(u(\d+)-\d+)"/;

export class AccessTrail {
  readonly #partial = new Map<string, string>();
  readonly #users = new Map<number, TrailLine[]>();
  readonly #others: TrailLine[] = [];
  readonly #pods = new Map<number, string>();

  /** Output of a process, in pieces as they come. */
  readonly tap = (process: string, text: string): void => {
    const lines = ((this.#partial.get(process) ?? '') + text).split('\n');
    this.#partial.set(process, lines.pop()!.slice(-partialCharsMax));
    for (const line of lines) this.#line({ process, text: line, atMs: timeOf(line) });
  };

  /** The pod that answered this user last, by a gateway's word. */
  podOf(user: number): string | undefined {
    return this.#pods.get(user);
  }

  /** What the processes logged of this user's requests and of its sessions from `sinceMs` (wall clock) on. */
  about(user: number, sinceMs: number): readonly string[] {
    const own = (this.#users.get(user) ?? []).filter(({ atMs }) => atMs >= sinceMs);
    const digests = new Set(own.flatMap(({ text }) => /"session":"([^"]+)"/.exec(text)?.[1] ?? []));
    const others = this.#others.filter(
      ({ atMs, text }) =>
        atMs >= sinceMs && (!text.includes('"session"') || [...digests].some((digest) => text.includes(digest))),
    );
    return [...own, ...others]
      .sort((a, b) => a.atMs - b.atMs)
      .slice(-reportedLinesMax)
      .map(({ process, text }) => `${process} ${text}`);
  }

  #line(line: TrailLine): void {
    const found = named.exec(line.text);
    if (found === null) {
      if (!line.text.includes('"msg":"access"')) keep(this.#others, line, otherLinesMax);
      return;
    }
    const user = Number(found[2]);
    const lines = this.#users.get(user) ?? [];
    this.#users.set(user, lines);
    keep(lines, line, linesPerUserMax);
    const pod = line.process.startsWith('gateway') ? /"status":200.*?"pod":"([^"]+)"/.exec(line.text)?.[1] : undefined;
    if (pod !== undefined) this.#pods.set(user, pod);
  }
}

function keep(lines: TrailLine[], line: TrailLine, max: number): void {
  lines.push(line);
  if (lines.length > max) lines.splice(0, Math.ceil(max / 10));
}

function timeOf(line: string): number {
  const time = /"time":"([^"]+)"/.exec(line)?.[1];
  const atMs = time === undefined ? Number.NaN : Date.parse(time);
  // A process with a wrong clock, or a line without a time.
  return Number.isNaN(atMs) || Math.abs(atMs - Date.now()) > 600_000 ? Date.now() : atMs;
}
