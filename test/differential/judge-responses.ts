/**
 * What came of each response: a strict reader of the upstream's bytes says what is right, and every client must have
 * taken exactly that for complete, or have seen that something is wrong.
 *
 * A client may refuse what it does not take; it may not read it as something else.
 */

import { strictResponses } from '../support/strict-reader.ts';
import type { ResponseCase } from './cases.ts';
import type { Got, Gotten, ResponseReader } from './clients.ts';
import type { UpstreamConnection } from './scripted-upstream.ts';

/** What the upstream's bytes are worth. */
export interface Worth {
  /**
   * 'good': an answer and its end. 'headless': no final head that may pass. 'cut': a good head, and a body that is
   * malformed or not all there.
   */
  readonly kind: 'good' | 'headless' | 'cut';
  readonly status: number;
  /** latin1; of 'cut', what there is of it. */
  readonly body: string;
  /** Another request may follow on the upstream's connection. */
  readonly persists: boolean;
  /** The connection has to end for it to be known. */
  readonly needsEnd: boolean;
  /** Answers of 1xx come before it. */
  readonly interim: boolean;
  /** Its heads are beyond limits. */
  readonly large: boolean;
}

const fieldsMax = 100;
const headBytesMax = 32_000;

/** By the strict reader. */
export function worthOf({ bytes, method }: ResponseCase): Worth {
  const stream = bytes.toString('latin1');
  const { messages, verdict, surplus } = strictResponses(stream, { method });
  const last = messages.at(-1);
  const final = last !== undefined && last.status >= 200 ? last : undefined;
  const interim = messages.some(({ status }) => status < 200);
  const large =
    messages.some(({ fields, trailers = [] }) => fields.length > fieldsMax || trailers.length > fieldsMax) ||
    stream.length > headBytesMax;
  const shared = { status: final?.status ?? 0, body: final?.body ?? '', interim, large };
  if (final === undefined) return { ...shared, kind: 'headless', persists: false, needsEnd: verdict !== 'refused' };
  const byClose = final.framing === 'close';
  if (!byClose && !final.complete) return { ...shared, kind: 'cut', persists: false, needsEnd: verdict !== 'refused' };
  return { ...shared, kind: 'good', persists: final.keepAlive && surplus === 0, needsEnd: byClose };
}

export interface ResponseVerdicts {
  cases: number;
  /** Good answers, each by each client: those it read as they are, and those it would not take. */
  read: number;
  notTaken: number;
  /** Answers that are none, and that no client took for one: as a 502, and as a cut in the middle. */
  refused: number;
  cut: number;
  /** Requests behind, on the same connection or the next, that got their own answer. */
  next: number;
  badPassed: string[];
  goodRefused: string[];
}

export interface ResponseEvidence {
  readonly cases: readonly ResponseCase[];
  readonly worths: readonly Worth[];
  readonly gotten: ReadonlyMap<ResponseReader, ReadonlyMap<number, Gotten>>;
  readonly connections: readonly UpstreamConnection[];
}

/** Compares all of it. */
export function judgeResponses({ cases, worths, gotten, connections }: ResponseEvidence): ResponseVerdicts {
  const verdicts: ResponseVerdicts = {
    cases: cases.length,
    read: 0,
    notTaken: 0,
    refused: 0,
    cut: 0,
    next: 0,
    badPassed: [],
    goodRefused: [],
  };
  for (const [index, entry] of cases.entries()) {
    const worth = worths[index]!;
    const contradiction = contradicts(entry, worth);
    if (contradiction !== undefined) verdicts.badPassed.push(`${entry.id}: ${contradiction}`);
    for (const [reader, all] of gotten) {
      const mine = all.get(index);
      const say = (what: string) =>
        `${reader.name}: ${entry.id}: ${what}: ${JSON.stringify(mine)} from ${entry.method} ${JSON.stringify(entry.bytes.toString('latin1').slice(0, 500))}`;
      if (mine !== undefined)
        judgeOne(reader, { worth, mine, marker: `/marker/${reader.name}/${index}`, verdicts, say });
    }
  }
  for (const { targets } of connections) {
    for (const target of targets.slice(0, -1)) {
      const [, kind, , number] = target.split('/');
      if (kind === 'case' && !worths[Number(number)]!.persists)
        verdicts.badPassed.push(`the connection is used again behind ${target}, ${cases[Number(number)]!.id}`);
    }
  }
  return verdicts;
}

/** The corpus and the strict reader, where they differ; codings that are not spoken are 502 here though legal. */
function contradicts({ strict, bytes }: ResponseCase, { kind, large }: Worth): string | undefined {
  if (strict === undefined || large) return undefined;
  const codings = /\r\ntransfer-encoding:/i.test(bytes.toString('latin1'));
  if (strict === 'reject' && kind === 'good') return 'the corpus rejects what the strict reader takes';
  if (strict === 'accept' && kind === 'headless' && !codings)
    return 'the corpus accepts what the strict reader refuses';
  return undefined;
}

interface One {
  readonly worth: Worth;
  readonly mine: Gotten;
  readonly marker: string;
  readonly verdicts: ResponseVerdicts;
  readonly say: (what: string) => string;
}

function judgeOne(reader: ResponseReader, { worth, mine, marker, verdicts, say }: One): void {
  const { case: got } = mine;
  judgeMarker(mine, { marker, verdicts, say });
  if (got.error?.startsWith('malformed') === true) verdicts.badPassed.push(say('not a legal answer'));
  else if (got.complete && isRefusal(got)) judgeRefusal(reader, { worth, verdicts, say });
  else if (worth.kind === 'good') judgeGood(reader, { worth, got, verdicts, say });
  else if (got.complete) verdicts.badPassed.push(say(`${worth.kind} and taken for complete`));
  else if (reader.isStrict === true && !worth.body.startsWith(got.body))
    verdicts.badPassed.push(say('what is there of it is not what was sent'));
  else if (reader.isStrict === true && worth.kind === 'headless')
    verdicts.badPassed.push(say('it is not answered 502'));
  else verdicts.cut++;
}

/** Ours, or of the proxy in front. */
function isRefusal({ status, body }: Got): boolean {
  return status === 502 && (body === '' || body.startsWith('Holdfast: ') || body.startsWith('<html>'));
}

type Judged = Pick<One, 'worth' | 'verdicts' | 'say'>;

function judgeRefusal(reader: ResponseReader, { worth, verdicts, say }: Judged): void {
  if (worth.kind !== 'good' || worth.large) verdicts.refused++;
  else if (worth.status === 502 && worth.body === '') verdicts.read++;
  else if (reader.isStrict === true) verdicts.goodRefused.push(say('refused'));
  else verdicts.notTaken++;
}

function judgeGood(reader: ResponseReader, { worth, got, verdicts, say }: Judged & { readonly got: Got }): void {
  if (!got.complete) {
    if (reader.isStrict === true && !worth.large) verdicts.goodRefused.push(say('not complete'));
    else verdicts.notTaken++;
  } else if (got.status !== worth.status) verdicts.badPassed.push(say(`its status is ${worth.status}`));
  else if (got.body !== worth.body) verdicts.badPassed.push(say(`its body is ${JSON.stringify(worth.body)}`));
  else verdicts.read++;
}

function judgeMarker(
  { case: got, marker: next }: Gotten,
  { marker, verdicts, say }: Pick<One, 'marker' | 'verdicts' | 'say'>,
): void {
  if (next === undefined) {
    // The raw reader asks on the same connection only.
    if (got.complete && got.closes === false) verdicts.badPassed.push(say('the connection ended behind it'));
    return;
  }
  if (next.complete && next.status === 200 && next.body === marker) verdicts.next++;
  else verdicts.badPassed.push(say('the next answer is another'));
}
