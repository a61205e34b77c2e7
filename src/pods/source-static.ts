/**
 * Pods from the configuration: listed once, and again when the configuration has changed. A host name stays a name; it is
 * resolved when it is dialled.
 *
 * Must not know health or sessions.
 */

import { isDeepStrictEqual } from 'node:util';

import type { Clock } from '../base/clock.ts';
import type { ListedPod } from './pod-set.ts';
import type { PodSource, SourceView } from './pod-source.ts';

export class StaticSource implements PodSource {
  readonly what = 'configuration';
  readonly #clock: Clock;
  #view: SourceView;
  #listed: ((pods: readonly ListedPod[]) => void) | undefined;

  constructor(pods: readonly ListedPod[], clock: Clock) {
    this.#clock = clock;
    this.#view = viewOf(pods, clock);
  }

  get view(): SourceView {
    return this.#view;
  }

  start(listed: (pods: readonly ListedPod[]) => void): void {
    this.#listed = listed;
    listed(this.#view.pods);
  }

  /** Another list is configured now. */
  replace(pods: readonly ListedPod[]): void {
    if (isDeepStrictEqual(pods, this.#view.pods)) return;
    this.#view = viewOf(pods, this.#clock);
    this.#listed?.(pods);
  }

  stop(): void {
    this.#listed = undefined;
  }
}

function viewOf(pods: readonly ListedPod[], clock: Clock): SourceView {
  const nowMs = clock.nowMs();
  const none = new Map<never, never>();
  const view = { isSeen: true, isFailing: false, problem: undefined, heardAtMs: nowMs, changedAtMs: nowMs, pods };
  return { ...view, errors: none, skipped: none };
}
