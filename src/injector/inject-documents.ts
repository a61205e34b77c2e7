/**
 * `holdfast inject -f FILE` without its files and streams: text of YAML (or JSON) documents in, the same with sidecars
 * out, and what there is to tell. Documents that do not change come out byte for byte; in others only what changes
 * does, so that order and comments stay.
 *
 * A Service in the same text that leads to an injected pod by its port's number is changed to the name. Pure.
 */

import { type Document, parseAllDocuments } from 'yaml';
import { valueAt } from '../kubernetes/object-fields.ts';
import { asksForSidecar } from './annotations.ts';
import { type Injection, injectPod, type InjectOptions } from './inject-pod.ts';
import { leadsTo, readService, selects } from './services.ts';
import type { SkipReason } from './skip-reasons.ts';
import { claimTemplates, nameOf, podPlace, withValueAt } from './workload.ts';
import { writeDocument } from './write-document.ts';

export interface InjectedText {
  readonly text: string;
  readonly notes: readonly Note[];
}

export interface Note {
  readonly kind: 'injected' | 'rewritten' | 'warning' | 'skipped';
  /** `Deployment shop`. */
  readonly subject: string;
  readonly reason?: SkipReason;
  readonly words: string;
}

const aliasesMax = 1000;

/** @throws SyntaxError, with the line, for what is no YAML. */
export function injectText(text: string, options: Pick<InjectOptions, 'defaults' | 'judge'>): InjectedText {
  const documents = parse(text);
  const objects = documents.map(valueOf);
  const run = new InjectRun(options);
  const injected = objects.map((object) => eachOf(object, (one) => run.inject(one)));
  const rewritten = injected.map((object) => eachOf(object, (one) => run.rewriteService(one)));
  let from = 0;
  let out = '';
  for (const [index, document] of documents.entries()) {
    const to = document.range[2];
    out += writeDocument(document, { source: text.slice(from, to), before: objects[index], after: rewritten[index] });
    from = to;
  }
  return { text: out + text.slice(from), notes: run.notes };
}

function parse(text: string): readonly Document.Parsed[] {
  const documents = parseAllDocuments(text, { version: '1.2', logLevel: 'silent', prettyErrors: true });
  if (!Array.isArray(documents)) return [];
  const [error] = documents.flatMap((document: Document.Parsed) => document.errors);
  if (error !== undefined) throw new SyntaxError(error.message.split('\n', 1)[0]);
  return documents as readonly Document.Parsed[];
}

function valueOf(document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: aliasesMax });
  } catch (error) {
    // An anchor that is not there, or far too many references to one.
    if (error instanceof ReferenceError) throw new SyntaxError(error.message, { cause: error });
    throw error;
  }
}

/** The object, or each item of a List, changed. */
function eachOf(object: unknown, change: (one: unknown) => unknown): unknown {
  const items = valueAt(object, ['items']);
  const isList = Array.isArray(items) && String(valueAt(object, ['kind'])).endsWith('List');
  return isList ? withValueAt(object, ['items'], items.map(change)) : change(object);
}

/** An application that got its sidecar here, as Services have to know it. */
interface Moved {
  readonly namespace: unknown;
  readonly labels: Readonly<Record<string, string>>;
  readonly port: number;
  readonly name: string;
}

class InjectRun {
  readonly notes: Note[] = [];
  readonly #options: Pick<InjectOptions, 'defaults' | 'judge'>;
  readonly #moved: Moved[] = [];

  constructor(options: Pick<InjectOptions, 'defaults' | 'judge'>) {
    this.#options = options;
  }

  inject(object: unknown): unknown {
    const place = podPlace(object);
    if (place === undefined) return object;
    const subject = nameOf(object);
    const pod = valueAt(object, place.path);
    const options = { ...this.#options, services: [], claimTemplates: claimTemplates(object) };
    const injection = place.ends ? refusedJob(pod, options) : injectPod(pod, options);
    if (injection.kind === 'unchanged') return object;
    if (injection.kind === 'skipped') {
      this.notes.push({ kind: 'skipped', subject, reason: injection.reason, words: injection.detail });
      return object;
    }
    const { port } = injection;
    this.notes.push({
      kind: 'injected',
      subject,
      words: `port ${port.name} leads to the sidecar, which asks ${port.number}`,
    });
    for (const words of injection.warnings) this.notes.push({ kind: 'warning', subject, words });
    this.#moved.push({
      namespace: valueAt(object, ['metadata', 'namespace']),
      labels: injection.pod.metadata?.labels ?? {},
      port: port.number,
      name: port.name,
    });
    return withValueAt(object, place.path, injection.pod);
  }

  rewriteService(object: unknown): unknown {
    if (valueAt(object, ['kind']) !== 'Service') return object;
    const service = readService(object);
    const namespace = valueAt(object, ['metadata', 'namespace']);
    const apps = this.#moved.filter(
      (app) => app.namespace === namespace && service !== undefined && selects(service, app.labels),
    );
    if (service === undefined || apps.length === 0) return object;
    const ports = (service.spec.ports ?? []).map((port) => {
      const app = apps.find((one) => leadsTo(port, one.port));
      if (app === undefined) return port;
      this.notes.push({
        kind: 'rewritten',
        subject: nameOf(object),
        words: `targetPort ${app.port} is ${app.name} now`,
      });
      return { ...port, targetPort: app.name };
    });
    return withValueAt(object, ['spec', 'ports'], ports);
  }
}

function refusedJob(pod: unknown, { defaults }: InjectOptions): Injection {
  const annotations = valueAt(pod, ['metadata', 'annotations']) as Readonly<Record<string, string>> | undefined;
  if (!asksForSidecar(annotations ?? {}, defaults)) return { kind: 'unchanged' };
  return { kind: 'skipped', reason: 'not-a-server', detail: 'a Job' };
}
