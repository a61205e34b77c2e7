/**
 * Asks other keepers over the network. Everything that is not a signed answer of the right keeper in time counts
 * as no answer: taking by force is safe then, because the store fences the old owner off.
 *
 * Must not know why it asks.
 */

import { Agent, request } from 'undici';
import { parseAddress } from '../base/address.ts';
import type { KeySource } from '../base/keyring.ts';
import type { Timeouts } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { Owner } from '../store/contract.ts';
import { HelloSigner } from '../upstream/hello.ts';
import { probe } from '../upstream/probe.ts';
import { releaseField, releasePath, ReleaseSigner } from './peer-message.ts';
import type { Peers, ReleaseAnswer, ReleaseAsk } from './peers.ts';

export interface PeerClientOptions {
  readonly secrets: KeySource;
  readonly timeouts: Pick<Timeouts, 'connectMs' | 'handoffMs'>;
  readonly log: Log;
}

/** To one peer; its listener takes 64 in all. */
const connectionsMax = 8;
const answerBytesMax = 1024;
/** A connection that the peer closed as idle while the question was on its way; seen at once. */
const closedCodes: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

export class PeerClient implements Peers {
  readonly #signer: ReleaseSigner;
  readonly #hello: HelloSigner;
  readonly #agent: Agent;
  readonly #handoffMs: number;
  readonly #log: Log;

  constructor(options: PeerClientOptions) {
    const { connectMs, handoffMs } = options.timeouts;
    this.#signer = new ReleaseSigner(options.secrets);
    this.#hello = new HelloSigner(options.secrets);
    this.#handoffMs = handoffMs;
    this.#log = options.log;
    this.#agent = new Agent({
      connections: connectionsMax,
      pipelining: 1,
      connect: { timeout: Math.min(connectMs, handoffMs / 2) },
      headersTimeout: handoffMs,
      bodyTimeout: handoffMs,
      maxResponseSize: answerBytesMax,
    });
  }

  async serves(owner: Owner): Promise<boolean> {
    const address = parseAddress(owner.data);
    if (address === undefined) return false;
    const timeoutMs = this.#handoffMs / 4;
    const result = await probe(address, { timeoutMs, signer: this.#hello, path: undefined });
    return result.kind === 'passed' && result.hello?.uid === owner.uid;
  }

  async ask(owner: Owner, ask: ReleaseAsk): Promise<ReleaseAnswer | 'unreachable'> {
    const deadline = AbortSignal.timeout(ask.why === 'rebalance' ? this.#handoffMs / 4 : this.#handoffMs);
    try {
      return await this.#try(owner, ask, deadline);
    } catch (error) {
      if (!closedCodes.has(codeOf(error))) return this.#unreachable(owner, error);
    }
    try {
      // The question is the same however often it is asked, so a lost connection is worth another one.
      return await this.#try(owner, ask, deadline);
    } catch (error) {
      return this.#unreachable(owner, error);
    }
  }

  /** Ends connections; asks under way end as unreachable. */
  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #try(owner: Owner, ask: ReleaseAsk, signal: AbortSignal): Promise<ReleaseAnswer | 'unreachable'> {
    const { signed, value } = this.#signer.ask(owner.uid, ask);
    const response = await request(`http://${owner.peer}${releasePath}`, {
      method: 'POST',
      dispatcher: this.#agent,
      headers: { [releaseField]: value },
      signal,
    });
    const text = await response.body.text();
    const signature = response.headers[releaseField];
    if (response.statusCode !== 200 || typeof signature !== 'string') return 'unreachable';
    return this.#signer.verifyAnswer(owner.uid, signed, { text, signature }) ?? 'unreachable';
  }

  #unreachable(owner: Owner, error: unknown): 'unreachable' {
    this.#log.info({ pod: owner.name, peer: owner.peer, error }, 'the owner of a session did not answer');
    return 'unreachable';
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
