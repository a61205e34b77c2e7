/**
 * Standard output for log lines: collected, written in the background in pieces, because a system call for each
 * line costs more than an exchange's own work. What waits is bounded: a reader that has stopped loses lines, is
 * told how many when it reads again, and the process stays.
 *
 * Must not know what a line says.
 */

import { fstatSync } from 'node:fs';
import { PieceOutput, type PieceWriter } from './piece-output.ts';

export interface LogDestination {
  /** A complete line with its line feed. */
  write(line: string): void;
  /** Begins to write what waits now. */
  flush?(): void;
  /** Writes what waits, for an exit. */
  flushSync?(): void;
}

const pieceCharacters = 8 * 1024;
const waitingCharactersMax = 4 * 1024 * 1024;
const waitMs = 100;
/** PIPE_BUF of Linux. */
const pipeBufBytes = 4096;

/**
 * Collects lines for a writer that may refuse some by a 'drop'. What waits is written at the process's exit.
 * @param pieceMax characters of a piece; one line may be longer
 */
export function collectLines(output: PieceWriter, pieceMax = pieceCharacters): Required<LogDestination> {
  let piece = '';
  let lines = 0;
  let lost = 0;
  let drops = 0;
  let timer: NodeJS.Timeout | undefined;

  output.onDrop(() => drops++);

  const pass = (): void => {
    if (lines === 0) return;
    const passed = lines;
    const notice = lost === 0 ? '' : lostNotice(lost);
    const text = notice + piece;
    piece = '';
    lines = 0;
    const dropsBefore = drops;
    output.write(text);
    lost = drops > dropsBefore ? lost + passed : 0;
  };
  const flushSync = (): void => {
    pass();
    output.flushSync();
  };
  process.once('exit', () => {
    try {
      flushSync();
    } catch {
      // Nobody reads any more.
    }
  });

  return {
    write(line) {
      if (lines > 0 && piece.length + line.length > pieceMax) pass();
      piece += line;
      if (++lines === 1) {
        timer ??= setTimeout(pass, waitMs).unref();
        timer.refresh();
      }
      if (piece.length >= pieceMax) pass();
    },
    flush: pass,
    flushSync,
  };
}

/**
 * @param shared several processes write to the same standard output. A pipe keeps a write whole up to PIPE_BUF bytes
 *   (pipe(7)); larger ones could be torn apart by another process's lines.
 */
export function standardOutput({ shared }: { readonly shared: boolean } = { shared: false }): Required<LogDestination> {
  const piece = shared ? pipeBufBytes : pieceCharacters;
  beNonBlocking();
  const writer = new PieceOutput({
    descriptor: 1,
    waitingMax: waitingCharactersMax,
    ...(shared ? { writeMax: pipeBufBytes } : {}),
  });
  return collectLines(writer, piece);
}

/**
 * A pipe that nobody reads would hold up a thread for ever, and with it the end of the process. Node makes a pipe or a
 * socket one that does not block when it is asked for its own stream; nothing is written there.
 */
function beNonBlocking(): void {
  if (isPipe(1)) process.stdout.on('error', () => undefined);
}

function isPipe(descriptor: number): boolean {
  try {
    const stats = fstatSync(descriptor);
    return stats.isFIFO() || stats.isSocket();
  } catch {
    return false;
  }
}

function lostNotice(lines: number): string {
  const time = new Date().toISOString();
  return `{"level":"warn","time":"${time}","msg":"log lines were lost: standard output is too slow","lines":${lines}}\n`;
}
