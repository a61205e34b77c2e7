/**
 * Notices in `holdfast dev` that a replica keeps its sessions elsewhere than in its own directory: then the
 * replicas would share them, or lose them, and what the developer sees would prove nothing.
 *
 * A SessionGate around the keeper's: when an answer has made a session, its file must be there.
 */

import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { CookieChange, Preset, SessionId } from '../affinity/session-codec.ts';
import { fileNameOf } from '../sessions/session-name.ts';
import type { Admission, AdmitAsk, SessionGate, Stay, Verdict } from '../sessions/stay.ts';

export interface MisplacedOptions {
  readonly gate: SessionGate;
  readonly preset: Preset;
  /** Whether the session's file is in the replica's own directory. */
  readonly isHere: (session: SessionId) => boolean;
  /** Where it was found, or undefined where it was in none of the usual places. */
  readonly onMisplaced: (foundIn: string | undefined) => void;
}

export function watchForMisplaced(options: MisplacedOptions): SessionGate {
  const { gate } = options;
  const watched = (admission: Admission): Admission =>
    admission.kind === 'here' ? { kind: 'here', stay: new WatchedStay(admission.stay, options) } : admission;
  return {
    admit(ask: AdmitAsk) {
      const admission = gate.admit(ask);
      return admission instanceof Promise ? admission.then(watched) : watched(admission);
    },
    visit: () => new WatchedStay(gate.visit(), options),
  };
}

class WatchedStay implements Stay {
  readonly #stay: Stay;
  readonly #options: MisplacedOptions;
  #made: SessionId | undefined;

  constructor(stay: Stay, options: MisplacedOptions) {
    this.#stay = stay;
    this.#options = options;
  }

  get session(): Stay['session'] {
    return this.#stay.session;
  }

  get epoch(): Stay['epoch'] {
    return this.#stay.epoch;
  }

  get outcome(): Stay['outcome'] {
    return this.#stay.outcome;
  }

  answered(change: CookieChange): void {
    if (change.kind === 'set' && change.session !== this.#stay.session) this.#made = change.session;
    this.#stay.answered(change);
  }

  settle(): Verdict | Promise<Verdict> {
    const verdict = this.#stay.settle();
    return verdict instanceof Promise ? verdict.then((settled) => this.#look(settled)) : this.#look(verdict);
  }

  abandon(how: Parameters<Stay['abandon']>[0]): void {
    this.#stay.abandon(how);
  }

  #look(verdict: Verdict): Verdict {
    const made = this.#made;
    if (made !== undefined && verdict.kind === 'leave' && !this.#options.isHere(made)) {
      this.#options.onMisplaced(usualPlaces().find((place) => isIn(place, this.#options.preset, made)));
    }
    return verdict;
  }
}

/** Where frameworks keep session files when nobody tells them. */
function usualPlaces(): readonly string[] {
  return [
    join(process.cwd(), 'storage/framework/sessions'),
    join(process.cwd(), 'sessions'),
    '/var/lib/php/sessions',
    tmpdir(),
  ];
}

function isIn(place: string, preset: Preset, session: SessionId): boolean {
  const name = fileNameOf(preset, session);
  return name !== undefined && existsSync(join(place, name));
}
