/**
 * Pods from the configuration: listed once. A host name stays a name; it is resolved when it is dialled.
 *
 * Must not know health or sessions.
 */

import type { Clock } from '../base/clock.ts';
import type { ListedPod } from './pod-set.ts';
import type { PodSource, SourceView } from './pod-source.ts';

export class StaticSource implements PodSource {
  readonly what = 'configuration';
  readonly view: SourceView;

  constructor(pods: readonly ListedPod[], clock: Clock) {
    const nowMs = clock.nowMs();
    const none = new Map<never, never>();
    const view = { isSeen: true, isFailing: false, problem: undefined, heardAtMs: nowMs, changedAtMs: nowMs, pods };
    this.view = { ...view, errors: none, skipped: none };
  }

  start(listed: (pods: readonly ListedPod[]) => void): void {
    listed(this.view.pods);
  }

  stop(): void {
    // Nothing goes on.
  }
}
