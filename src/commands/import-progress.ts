/**
 * How far an import is, for the person who waits for it: a bar that redraws itself on a terminal, else a line every
 * few seconds. On standard error, so that the summary alone is the output.
 *
 * Must not know what is counted.
 */

export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface ProgressOptions {
  readonly total: number;
  readonly output: ProgressOutput;
  /** Milliseconds that never jump. */
  readonly nowMs: () => number;
}

const barWidth = 30;
const redrawMs = 100;
const lineMs = 5000;

export class ImportProgress {
  readonly #options: ProgressOptions;
  readonly #startedMs: number;
  #drawnMs: number;
  #done = 0;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#startedMs = options.nowMs();
    this.#drawnMs = this.#startedMs;
  }

  get seconds(): number {
    return (this.#options.nowMs() - this.#startedMs) / 1000;
  }

  /** One more is done. */
  step(): void {
    this.#done += 1;
    const now = this.#options.nowMs();
    const { isTTY = false } = this.#options.output;
    if (now - this.#drawnMs < (isTTY ? redrawMs : lineMs)) return;
    this.#drawnMs = now;
    this.#draw();
  }

  /** Ends the bar's line, so that what follows begins a new one. */
  end(): void {
    if (this.#options.output.isTTY !== true) return;
    this.#draw();
    this.#options.output.write('\n');
  }

  #draw(): void {
    const { output, total } = this.#options;
    const share = total === 0 ? 1 : Math.min(1, this.#done / total);
    const rate = Math.round(this.#done / Math.max(0.001, this.seconds));
    const figures = `${Math.floor(share * 100)}%  ${grouped(this.#done)} of ${grouped(total)} files, ${grouped(rate)}/s`;
    if (output.isTTY !== true) {
      output.write(`importing: ${figures}\n`);
      return;
    }
    const full = Math.round(share * barWidth);
    // "Erase to the end of the line" (ECMA-48 EL): the new text may be shorter than the old one.
    output.write(`\r[${'#'.repeat(full)}${'.'.repeat(barWidth - full)}] ${figures}\u001b[K`);
  }
}

/** 12345 as 12,345. */
export function grouped(number: number): string {
  return number.toLocaleString('en-US');
}
