/**
 * The log: JSON lines, one for each event and one for each exchange (the access line).
 *
 * What may stand in a line is decided here and not by the callers, so that no cookie, key or session content
 * gets out by mistake: values are scalars, lists of strings or errors (of which only kind, code and words are
 * kept, since a store client's errors carry the command's arguments); fields named like a secret are withheld;
 * credentials inside URLs are cut out; everything has a maximum length.
 *
 * Must not know what the lines are about. Sessions come as a keyed digest (session-digest.ts), never as an id.
 */

import { pino } from 'pino';
import { HoldfastError } from './errors.ts';
import type { LogDestination } from './log-output.ts';
import { standardOutput } from './log-output.ts';

export type { LogDestination } from './log-output.ts';

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export type LogFields = Readonly<Record<string, unknown>>;

/** One exchange, told when it has ended. */
export interface AccessLine {
  readonly method: string;
  /** The request target as it was received; '' where no legal head was read. The log cuts and escapes it. */
  readonly target: string;
  /** What the client was answered; 0: nothing. */
  readonly status: number;
  readonly affinity: string;
  /** The pod that answered. */
  readonly pod: string | undefined;
  /** The pods that were asked, in order. */
  readonly tried: readonly string[];
  readonly ms: number;
  /** Keyed digest of the session, never the id. */
  readonly session?: () => string | undefined;
  /** The close reason, where the exchange did not end with a complete answer. */
  readonly reason?: string | undefined;
  readonly requestId?: string | undefined;
  readonly client?: string | undefined;
}

export interface Log {
  debug(fields: LogFields, words: string): void;
  info(fields: LogFields, words: string): void;
  warn(fields: LogFields, words: string): void;
  /** On its way at once, and not with later lines. Nobody waits for it: a reader that has stopped must stop nobody else. */
  error(fields: LogFields, words: string): void;
  /** The same log with fields that every line bears. Level and destination are shared. */
  child(fields: LogFields): Log;
  /** Can be set at any time; it holds for all children too. */
  level: LogLevel;
  /** Takes another configuration from now on; for all children too. */
  configure(options: Pick<LogOptions, 'level' | 'access' | 'query'>): void;
  /** Whether access lines are written now; a caller may save itself the work. */
  readonly writesAccess: boolean;
  access(line: AccessLine): void;
  /** Writes what waits. For the moments before an exit. */
  flush(): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** Whether access lines are written; the default is yes. They are lines of level info. */
  readonly access?: boolean;
  /** Whether the access line's path keeps its query. */
  readonly query?: boolean;
  /** Standard output where none is given. */
  readonly destination?: LogDestination;
}

const pathCharactersMax = 256;
const valueCharactersMax = 2048;
const listEntriesMax = 32;

const secretName = /cookie|authorization|secret|passw|token|credential/i;
/** `key`, `keys`, `store.key`, `storeKey`; not `monkey`. */
const keyName = /(?:^|[^A-Za-z])keys?$|Keys?$/;
const credentialsInUrl = /(\w+:\/\/)[^/@\s]*@/g;
const plainText = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** Creates the log of a process. Never throws later: a destination that fails loses lines. */
export function createLog(options: LogOptions): Log {
  const destination = options.destination ?? standardOutput();
  const shared = sharedState(options);
  const writer = pino(
    {
      level: 'debug',
      base: null,
      timestamp: () => `,"time":"${isoNow()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return new JsonLog(shared, destination, writer);
}

function sharedState({ level, access = true, query = false }: LogOptions): SharedState {
  return { rank: logLevels.indexOf(level), access, query };
}

interface SharedState {
  rank: number;
  access: boolean;
  query: boolean;
}

class JsonLog implements Log {
  readonly #shared: SharedState;
  readonly #destination: LogDestination;
  readonly #writer: pino.Logger;

  constructor(shared: SharedState, destination: LogDestination, writer: pino.Logger) {
    this.#shared = shared;
    this.#destination = destination;
    this.#writer = writer;
  }

  get level(): LogLevel {
    return logLevels[this.#shared.rank] ?? 'info';
  }

  set level(level: LogLevel) {
    this.#shared.rank = logLevels.indexOf(level);
  }

  configure(options: Pick<LogOptions, 'level' | 'access' | 'query'>): void {
    Object.assign(this.#shared, sharedState(options));
  }

  get writesAccess(): boolean {
    return this.#shared.access && this.#shared.rank <= 1;
  }

  debug(fields: LogFields, words: string): void {
    if (this.#shared.rank <= 0) this.#writer.debug(loggable(fields), words);
  }

  info(fields: LogFields, words: string): void {
    if (this.#shared.rank <= 1) this.#writer.info(loggable(fields), words);
  }

  warn(fields: LogFields, words: string): void {
    if (this.#shared.rank <= 2) this.#writer.warn(loggable(fields), words);
  }

  error(fields: LogFields, words: string): void {
    if (this.#shared.rank > 3) return;
    this.#writer.error(loggable(fields), words);
    this.#destination.flush?.();
  }

  child(fields: LogFields): Log {
    return new JsonLog(this.#shared, this.#destination, this.#writer.child(loggable(fields)));
  }

  access(line: AccessLine): void {
    if (this.writesAccess) this.#destination.write(accessText(line, this.#shared.query));
  }

  flush(): void {
    try {
      this.#destination.flushSync?.();
    } catch {
      // Nothing can be written any more, so there is no place to say it either.
    }
  }
}

/**
 * The access line as text, with its line feed. Put together by hand: it is written for every exchange, and
 * the general way costs several times as much.
 */
function accessText(line: AccessLine, query: boolean): string {
  let text = `{"level":"info","time":"${isoNow()}","msg":"access","method":${quoted(line.method)},"path":${quoted(
    shownPath(line.target, query),
  )},"status":${line.status},"affinity":${quoted(line.affinity)},"pod":${
    line.pod === undefined ? 'null' : quoted(line.pod)
  },"tried":${quotedList(line.tried)},"ms":${Math.round(line.ms * 10) / 10}`;
  const session = line.session?.();
  if (session !== undefined) text += `,"session":${quoted(session)}`;
  if (line.reason !== undefined) text += `,"reason":${quoted(line.reason)}`;
  if (line.requestId !== undefined) text += `,"requestId":${quoted(line.requestId)}`;
  if (line.client !== undefined) text += `,"client":${quoted(line.client)}`;
  return `${text}}\n`;
}

function shownPath(target: string, query: boolean): string {
  const mark = query ? -1 : target.indexOf('?');
  const end = mark < 0 ? target.length : mark;
  return target.slice(0, Math.min(end, pathCharactersMax));
}

/** A JSON string in which nothing but printable ASCII is written as it is. */
function quoted(text: string): string {
  const cut = text.length > pathCharactersMax ? text.slice(0, pathCharactersMax) : text;
  return plainText.test(cut)
    ? `"${cut}"`
    : JSON.stringify(cut).replace(
        /[^\x20-\x7e]/g,
        (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
      );
}

function quotedList(texts: readonly string[]): string {
  if (texts.length === 1) return `[${quoted(texts[0]!)}]`;
  return `[${texts.slice(0, listEntriesMax).map(quoted).join(',')}]`;
}

function loggable(fields: LogFields): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined)
      kept[name] = secretName.test(name) || keyName.test(name) ? '[withheld]' : loggableValue(value);
  }
  return kept;
}

function loggableValue(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return shownText(value);
    case 'number':
    case 'boolean':
      return value;
    case 'bigint':
      return String(value);
    case 'object':
      if (value === null) return null;
      if (value instanceof Error) return describeError(value);
      if (Array.isArray(value)) {
        const texts: readonly unknown[] = value;
        return texts
          .slice(0, listEntriesMax)
          .map((entry) => (typeof entry === 'string' ? shownText(entry) : typeof entry));
      }
      return '[object]';
    default:
      return `[${typeof value}]`;
  }
}

function shownText(text: string): string {
  return text.slice(0, valueCharactersMax).replace(credentialsInUrl, '$1[withheld]@');
}

/**
 * An error in words: its kind or code, its message, those of up to three causes that say something new, and the place in the source
 * for errors that are not our own (those are faults, and their place is the question). Never other properties.
 */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth < 4 && current !== undefined; depth++) {
    const isSaid = current instanceof Error && isSaidIn(parts, current.message);
    if (!isSaid) parts.push(describeOne(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  return shownText(parts.join(' <- '));
}

function isSaidIn(parts: readonly string[], message: string): boolean {
  return message !== '' && parts.some((part) => part.includes(message));
}

function describeOne(error: unknown): string {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : `[${typeof error}]`;
  if (error instanceof HoldfastError) return `${error.kind}: ${error.message}`;
  if ('code' in error && typeof error.code === 'string') return `${error.code}: ${error.message}`;
  const place = error.stack?.split('\n').find((line) => line.startsWith('    at '));
  return `${error.name}: ${error.message}${place === undefined ? '' : ` (${place.trim()})`}`;
}

let isoMs = 0;
let isoText = '';

/** The wall clock as text; made once for all lines of one millisecond. */
function isoNow(): string {
  const nowMs = Date.now();
  if (nowMs !== isoMs) {
    isoMs = nowMs;
    isoText = new Date(nowMs).toISOString();
  }
  return isoText;
}
