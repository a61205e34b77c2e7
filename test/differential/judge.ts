/**
 * What came of each case: the requests that a strict reader finds in the client's bytes, those in the bytes that left
 * Holdfast, and those that the reader behind it says to have seen must be the same, as many, in the same order.
 *
 * The same means: method, target, Host and body byte for byte, and every field that is forwarded. What a reader does not
 * take (a method it does not know, a name that is odd to it) it may refuse; it may not read it as something else.
 */

import {
  type Fields,
  type Reading,
  type ReadRequest,
  strictRequests,
  strictResponses,
  valuesOf,
} from '../support/strict-reader.ts';
import { addressOf } from './ask.ts';
import type { StreamCase } from './cases.ts';
import type { Reader, Seen } from './readers.ts';
import type { Recording } from './recorder.ts';

export interface Verdicts {
  cases: number;
  /** Requests that are legal, that left Holdfast as they should, that a reader saw, and that it would not take. */
  legal: number;
  forwarded: number;
  seen: number;
  notTaken: number;
  /** Refused by Holdfast, as they should be. */
  refused: number;
  badForwarded: string[];
  goodRefused: string[];
}

interface Forwarded extends ReadRequest {
  /** When it began to arrive, as a number. */
  readonly order: number;
  /** Anything of an answer came back. */
  readonly answered: boolean;
  /** Of the final answer; 0: there was none. */
  readonly status: number;
}

export interface Evidence {
  readonly reader: Reader;
  readonly cases: readonly StreamCase[];
  /** What each client was answered. */
  readonly answers: readonly string[];
  readonly recordings: readonly Recording[];
  readonly seen: readonly Seen[];
}

/** Compares all of it. */
export function judge({ reader, cases, answers, recordings, seen }: Evidence): Verdicts {
  const verdicts: Verdicts = {
    cases: cases.length,
    legal: 0,
    forwarded: 0,
    seen: 0,
    notTaken: 0,
    refused: 0,
    badForwarded: [],
    goodRefused: [],
  };
  const bad = (id: string, what: string, bytes?: Buffer) =>
    verdicts.badForwarded.push(
      `${reader.name}: ${id}: ${what}${bytes === undefined ? '' : ` ${JSON.stringify(bytes.toString('latin1').slice(0, 600))}`}`,
    );
  const byClient = new Map<string, Forwarded[]>();
  const byId = new Map<string, Forwarded>();
  for (const request of recordings.flatMap((recording) =>
    forwardedOf(recording, (what) => bad('a connection', what)),
  )) {
    const client = valuesOf(request.fields, 'x-forwarded-for').join();
    byClient.set(client, [...(byClient.get(client) ?? []), request]);
    byId.set(valuesOf(request.fields, 'x-request-id').join(), request);
  }
  for (const [index, entry] of cases.entries()) {
    const requests = (byClient.get(addressOf(index)) ?? []).sort((a, b) => a.order - b.order);
    byClient.delete(addressOf(index));
    judgeCase({ entry, requests, answer: answers[index]!, verdicts, bad: (what) => bad(entry.id, what, entry.bytes) });
  }
  for (const client of byClient.keys()) bad(client, 'no case is known of this client');
  judgeSeen(reader, { seen, byId, verdicts, bad: (what) => bad('seen', what) });
  return verdicts;
}

/** The requests of one upstream connection with what was answered to each. */
function forwardedOf({ sent, pieces, answered }: Recording, bad: (what: string) => void): Forwarded[] {
  const { messages, verdict, why } = strictRequests(sent);
  if (verdict === 'refused' || verdict === 'policy')
    bad(`what left is not legal: ${why}: ${JSON.stringify(sent.slice(-300))}`);
  let at = 0;
  const forwarded = messages.map((message) => {
    const rest = answered.slice(at);
    const answer = strictResponses(rest, { method: message.method });
    const last = answer.messages.at(-1);
    at += rest.length - answer.surplus;
    const status = last !== undefined && last.status >= 200 ? last.status : 0;
    const order = pieces.find(({ end }) => end > message.start)!.number;
    return { ...message, order, answered: rest !== '', status };
  });
  // Some answer a connection that was only looked at.
  if (at < answered.length && sent !== '')
    bad(`more answers than requests: ${JSON.stringify(answered.slice(at, at + 300))}`);
  return forwarded;
}

interface OneCase {
  readonly entry: StreamCase;
  readonly requests: readonly Forwarded[];
  readonly answer: string;
  readonly verdicts: Verdicts;
  readonly bad: (what: string) => void;
}

/** The strict reader knows no limits. */
const limitedBytes = 8000;
/** Of a trailer section; beyond it is refused as malformed. */
const fieldsMax = 100;
/** Answers that judge no syntax. */
const policies = [413, 414, 417, 431, 501];

function judgeCase({ entry, requests, answer, verdicts, bad }: OneCase): void {
  const reading = strictRequests(entry.bytes.toString('latin1'));
  const contradicts = entry.strict !== undefined && entry.bytes.length < limitedBytes && !fits(entry.strict, reading);
  if (contradicts) bad(`the corpus says ${entry.strict}, the strict reader ${reading.verdict}: ${reading.why}`);
  const wanted = reading.messages.filter(({ complete }) => complete);
  // What was sent on a connection that had closed meanwhile is sent once more.
  const again = (at: number) =>
    ['method', 'target', 'body'].every((key) => isSame(requests[at]!, requests[at + 1], key));
  const arrived = requests.filter(({ complete, answered }, at) => complete && (answered || !again(at)));
  verdicts.legal += wanted.length;
  verdicts.forwarded += arrived.length;
  for (const [index, request] of arrived.entries()) {
    const original = wanted[index];
    if (original === undefined) bad(`one request too many: ${request.method} ${request.target}`);
    else compare(original, request, bad);
  }
  const statuses = own(answer);
  // It answered before it had all, and nobody read on.
  const early = requests.some(({ status, complete }) => status >= 400 && !complete);
  if (reading.verdict === 'refused') {
    if (
      statuses.some((status) => [400, 505, 414, 431].includes(status)) ||
      early ||
      cutOff(arrived.length, wanted.length, requests)
    )
      verdicts.refused++;
    else bad(`not refused (${reading.why}): ${JSON.stringify(answer.slice(-200))}`);
  }
  if (wanted.some(({ trailers = [] }) => trailers.length > fieldsMax)) return;
  if (arrived.length >= wanted.length || statuses.some((status) => policies.includes(status))) return;
  // A reader that answers before it has all, or closes without a word, keeps the rest from being read.
  if (cutOff(arrived.length, wanted.length, requests)) return;
  verdicts.goodRefused.push(
    `${entry.id}: ${arrived.length} of ${wanted.length} arrived, answered ${JSON.stringify(answer.slice(0, 300))} ${JSON.stringify(entry.bytes.toString('latin1').slice(0, 600))}`,
  );
}

function isSame(one: Forwarded, other: Forwarded | undefined, key: string): boolean {
  return other !== undefined && one[key as keyof Forwarded] === other[key as keyof Forwarded];
}

function cutOff(arrived: number, wanted: number, requests: readonly Forwarded[]): boolean {
  return arrived < wanted && requests.some(({ status, complete, answered }) => status >= 400 || !complete || !answered);
}

function fits(strict: string, { verdict, messages }: Reading<ReadRequest>): boolean {
  if (strict === 'reject') return verdict === 'refused';
  return strict === 'incomplete' ? verdict === 'open' || messages.length === 0 : verdict !== 'refused';
}

/** The statuses of Holdfast's own answers: no reader forbids that they are stored. */
function own(answer: string): number[] {
  return [...answer.matchAll(/HTTP\/1\.1 (\d{3}) (?:[^\r\n]+\r\n)+/g)]
    .filter(([head]) => head.includes('\r\nCache-Control: no-store\r\n'))
    .map(([, status]) => Number(status));
}

const notForwarded =
  /^(?:connection|keep-alive|te|upgrade|proxy|proxy-.*|http2-settings|expect|content-length|transfer-encoding|cookie|host|forwarded|x-real-ip|x-request-id|x-(?:forwarded|original|rewrite|holdfast)-.*|.*[_.].*)$/i;
const ours =
  /^(?:host|cookie|content-length|transfer-encoding|connection|upgrade|expect|x-forwarded-(?:for|proto|host)|x-request-id)$/i;

function compare(original: ReadRequest, request: Forwarded, bad: (what: string) => void): void {
  for (const key of ['method', 'target', 'host', 'body', 'cookie'] as const) {
    if (original[key] !== request[key])
      bad(`${key} ${JSON.stringify(original[key])} became ${JSON.stringify(request[key])}`);
  }
  if ((request.trailers ?? []).length > 0) bad('trailers are forwarded');
  const named = valuesOf(original.fields, 'connection')
    .join()
    .toLowerCase()
    .split(/[ \t]*,[ \t]*/);
  const kept = original.fields.filter(
    ([name]) =>
      !notForwarded.test(name) &&
      !(
        named.includes(name.toLowerCase()) &&
        name.toLowerCase() !== 'authorization' &&
        name.toLowerCase() !== 'set-cookie'
      ),
  );
  const given = request.fields.filter(([name]) => !ours.test(name));
  if (JSON.stringify(kept) !== JSON.stringify(given))
    bad(`the fields ${JSON.stringify(kept)} became ${JSON.stringify(given)}`);
}

interface SeenCase {
  readonly seen: readonly Seen[];
  readonly byId: Map<string, Forwarded>;
  readonly verdicts: Verdicts;
  readonly bad: (what: string) => void;
}

function judgeSeen(reader: Reader, { seen, byId, verdicts, bad }: SeenCase): void {
  const name = reader.tells === 'cgi' ? 'X_REQUEST_ID' : 'x-request-id';
  for (const report of seen) {
    const id =
      report.fields.filter((field) => (reader.tells === 'cgi' ? field[0] : field[0].toLowerCase()) === name)[0]?.[1] ??
      '';
    const request = byId.get(id);
    const said = `${report.method} ${report.target}`;
    if (request === undefined) {
      bad(`a request that was not sent, or is seen twice: ${said}`);
      continue;
    }
    byId.delete(id);
    verdicts.seen++;
    // A reader that believes what it had when the connection ended is cut off, not misled: its answer went nowhere.
    if (!request.complete) continue;
    for (const key of ['method', 'target', 'body'] as const) {
      const sent =
        key === 'target' && reader.dropsEmptyQuery === true ? request.target.replace(/\?$/, '') : request[key];
      if (key === 'method' && reader.raisesMethods === true && report.method === sent.toUpperCase()) continue;
      if (report[key] !== sent)
        bad(
          `${key} ${JSON.stringify(sent)} is seen as ${JSON.stringify(report[key])} (${said} with ${JSON.stringify(request.fields)})`,
        );
    }
    fieldsSeen(reader, { report, request, bad });
  }
  for (const { complete, status, method } of byId.values()) {
    if (!complete) continue;
    if (reader.answersItself?.includes(method) === true) verdicts.notTaken++;
    else if (status < 400 && status !== 0) bad(`${method} is answered ${status} and not seen`);
    else verdicts.notTaken++;
  }
}

/** Of one connection, or the proxy's own. */
const proxyOwn = /^(?:connection|te|expect|upgrade|content-length|transfer-encoding)$/i;

function fieldsSeen(
  { tells, isProxy = false }: Reader,
  {
    report,
    request,
    bad,
  }: { readonly report: Seen; readonly request: Forwarded; readonly bad: (what: string) => void },
): void {
  if (tells === 'cgi') {
    asVariables(report, request, bad);
    return;
  }
  const told = (fields: Fields) =>
    fields
      .filter(([name]) => !isProxy || !proxyOwn.test(name))
      // Some proxies pass over what they do not know.
      .filter(([name]) => !isProxy || /^[-a-z0-9]+$/i.test(name))
      .map(([name, value]) => `${tells === 'lower' ? name.toLowerCase() : name}: ${value}`)
      .sort()
      .join('\n');
  const [sent, seen] = [told(request.fields), told(report.fields)];
  if (sent !== seen) bad(`the fields ${JSON.stringify(sent)} are seen as ${JSON.stringify(seen)}`);
}

/** Each variable is what came under this name and no other; those that decide who is asked for what are all there. */
function asVariables(report: Seen, request: Forwarded, bad: (what: string) => void): void {
  const variable = (name: string) => name.toUpperCase().replaceAll('-', '_');
  for (const [name, value] of report.fields) {
    const sent = request.fields.filter((field) => variable(field[0]) === name).map((field) => field[1]);
    const joined = [sent.join(', '), sent.join(','), sent.join('; '), ...sent];
    if (sent.length === 0 || !joined.includes(value))
      bad(`${name} is seen as ${JSON.stringify(value)}, sent ${JSON.stringify(sent)}`);
  }
  for (const name of ['host', 'cookie', 'authorization', 'x-forwarded-for', 'x-forwarded-proto']) {
    if (valuesOf(request.fields, name).join('') === '') continue;
    if (!report.fields.some(([seen]) => seen === variable(name))) bad(`${name} is not seen`);
  }
}
