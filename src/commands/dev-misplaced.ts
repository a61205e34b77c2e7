/**
 * Notices in `holdfast dev` that a replica keeps its sessions elsewhere than in its own directory: then the
 * replicas would share them, or lose them, and what the developer sees would prove nothing.
 *
 * A SessionGate around the keeper's: when an answer has made a session, its file must be there.
 */

import { existsSync, readdirSync } from 'node:fs';
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
  const finder = new Finder(options);
  const watched = (admission: Admission): Admission =>
    admission.kind === 'here' ? { kind: 'here', stay: new WatchedStay(admission.stay, finder) } : admission;
  return {
    admit(ask: AdmitAsk) {
      const admission = gate.admit(ask);
      return admission instanceof Promise ? admission.then(watched) : watched(admission);
    },
    visit: () => new WatchedStay(gate.visit(), finder),
    otherPod: (tried) => gate.otherPod(tried),
  };
}

/** Told once for each replica: an application that keeps no files would be told of at each visitor. */
class Finder {
  readonly #options: MisplacedOptions;
  #told = false;

  constructor(options: MisplacedOptions) {
    this.#options = options;
  }

  look(session: SessionId): void {
    const { preset, isHere, onMisplaced } = this.#options;
    if (this.#told || isHere(session)) return;
    this.#told = true;
    onMisplaced(usualPlaces().find((place) => isIn(place, preset, session)));
  }
}

class WatchedStay implements Stay {
  readonly #stay: Stay;
  readonly #finder: Finder;
  #made: SessionId | undefined;

  constructor(stay: Stay, finder: Finder) {
    this.#stay = stay;
    this.#finder = finder;
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
    // A browser may bring its cookie from another run, and Laravel goes on under that id.
    const isNew = change.kind === 'set' && (change.session !== this.#stay.session || this.#stay.outcome === 'expired');
    if (isNew) this.#made = change.session;
    this.#stay.answered(change);
  }

  settle(lives?: () => Promise<boolean>): Verdict | Promise<Verdict> {
    const verdict = this.#stay.settle(lives);
    return verdict instanceof Promise ? verdict.then((settled) => this.#look(settled)) : this.#look(verdict);
  }

  abandon(how: Parameters<Stay['abandon']>[0]): void {
    this.#stay.abandon(how);
  }

  #look(verdict: Verdict): Verdict {
    if (this.#made !== undefined && verdict.kind === 'leave') this.#finder.look(this.#made);
    return verdict;
  }
}

/** Folders looked into, below each usual place. */
const foldersMax = 500;

/** Where frameworks keep session files when nobody tells them, and what is right below. */
function usualPlaces(): readonly string[] {
  const cwd = process.cwd();
  const places = [join(cwd, 'storage/framework/sessions'), '/var/lib/php/sessions', tmpdir(), cwd];
  return places.flatMap((place) => [place, ...foldersIn(place)]);
}

function foldersIn(place: string): readonly string[] {
  try {
    const entries = readdirSync(place, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .slice(0, foldersMax)
      .map(({ name }) => join(place, name));
  } catch {
    return [];
  }
}

function isIn(place: string, preset: Preset, session: SessionId): boolean {
  const name = fileNameOf(preset, session);
  return name !== undefined && existsSync(join(place, name));
}
