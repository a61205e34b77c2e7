/**
 * The parent as a worker has it: what it is told, and what it tells.
 *
 * Must not know what a worker does.
 */

import type { LogLevel } from '../base/log.ts';
import type { Answer, FromWorker, Question, StopManner, ToWorker, WorkerStart } from './messages.ts';

/** What a worker does for its parent while it runs. */
export interface WorkerDuties {
  /** Must not reject. */
  readonly answer: (question: Question) => Promise<Answer>;
  readonly setLevel: (level: LogLevel) => void;
  readonly beUnready: () => void;
}

export class ParentLink {
  /** Its first word; undefined: it died before. */
  readonly start: Promise<WorkerStart | undefined>;
  /** How the worker is to end. A parent that died is as good as replaced: others may take its addresses at any time. */
  readonly stopped: Promise<StopManner>;
  /** It is to end at once, whatever it was told before. */
  readonly hurried: Promise<undefined>;
  /** Questions that come before there are duties have no answer, in time or ever. */
  duties: WorkerDuties | undefined;

  /** Use openParentLink(). */
  constructor() {
    const start = Promise.withResolvers<WorkerStart | undefined>();
    const stopped = Promise.withResolvers<StopManner>();
    const hurried = Promise.withResolvers<undefined>();
    this.start = start.promise;
    this.stopped = stopped.promise;
    this.hurried = hurried.promise;
    process.on('message', (message) => {
      const told = message as ToWorker;
      if (told.kind === 'start') start.resolve(told);
      else if (told.kind !== 'stop') this.#hear(told);
      else {
        stopped.resolve(told.manner);
        if (told.manner === 'now') hurried.resolve(undefined);
      }
    });
    const lost = (): void => {
      start.resolve(undefined);
      stopped.resolve('replaced');
    };
    // It may have died while this program was still being loaded: nobody is told of that any more.
    if (this.isLost) lost();
    else process.once('disconnect', lost);
  }

  get isLost(): boolean {
    return !process.connected;
  }

  /** Resolves when it is on its way, or can't be told any more. */
  tell(message: FromWorker): Promise<void> {
    return new Promise((resolve) => {
      if (this.isLost || process.send === undefined) resolve();
      else process.send(message, undefined, {}, () => resolve());
    });
  }

  #hear(message: Exclude<ToWorker, { readonly kind: 'start' | 'stop' }>): void {
    const { duties } = this;
    switch (message.kind) {
      case 'ask':
        void duties?.answer(message.question).then((answer) => this.tell({ kind: 'answer', id: message.id, answer }));
        break;
      case 'level':
        duties?.setLevel(message.level);
        break;
      case 'unready':
        duties?.beUnready();
    }
  }
}

/** @returns undefined where this process was not started by a parent. */
export function openParentLink(): ParentLink | undefined {
  return process.send === undefined ? undefined : new ParentLink();
}
