/**
 * What a sidecar says to the gateways that ask it, and what it hears with their questions.
 *
 * Must not know how hellos are signed (upstream/hello.ts), nor what follows from a word.
 */

import { keyFingerprint, type KeyRing } from '../base/keyring.ts';
import type { Log } from '../base/log.ts';
import type { SidecarConfig } from '../config/config.ts';
import type { HelloAnswerOptions } from '../proxy/hello-answer.ts';
import type { Owner } from '../store/contract.ts';
import { type Hello, HelloSigner, newRun } from '../upstream/hello.ts';

export interface SidecarHelloOptions {
  readonly config: SidecarConfig;
  /** `store.key`. */
  readonly secrets: KeyRing;
  readonly own: Owner;
  readonly log: Log;
  /** As it is at the moment of a question. */
  readonly state: () => Pick<Hello, 'application' | 'store' | 'draining'> & {
    readonly counts: { readonly owned: number; readonly active: number };
  };
  /** A gateway says that this pod is terminating; said again and again. */
  readonly terminating: () => void;
}

export function sidecarHello({
  config,
  secrets,
  own,
  log,
  state,
  terminating,
}: SidecarHelloOptions): HelloAnswerOptions {
  const { store, sessions } = config;
  let otherKeyTold = false;
  return {
    signer: new HelloSigner(secrets),
    say() {
      const { counts, ...now } = state();
      return {
        name: own.name,
        uid: own.uid,
        ...now,
        names: keyFingerprint(store.nameKey, store.prefix),
        owned: counts.owned,
        ...(sessions.rebalance ? { active: counts.active } : {}),
      };
    },
    run: newRun(),
    terminating,
    // A gateway that is not ours, or ours with a wrong key: at most one line, whoever asks how often.
    otherKey() {
      if (otherKeyTold) return;
      otherKeyTold = true;
      const ours = secrets.secrets.map((key) => keyFingerprint(key));
      log.warn({ ours }, 'a gateway asked that has another store.key than ours');
    },
  };
}
