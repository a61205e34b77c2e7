/**
 * Asks one pod whether it can serve: a sidecar by the signed hello, a bare application by a path or, without
 * one, by a TCP connection. Off the data path, so undici serves; it is loaded at the first question over HTTP.
 *
 * Must not know what becomes of the result (pods/health.ts decides), nor when to ask.
 */

import { connect } from 'node:net';

import type { Client } from 'undici';

import { readBounded } from '../base/read-bounded.ts';
import { type Address, formatAddress } from '../base/address.ts';
import {
  type Hello,
  helloField,
  type HelloSigner,
  helloTarget,
  type HelloTarget,
  otherKeyAnswer,
  terminatingField,
} from './hello.ts';

export type ProbeResult =
  | { readonly kind: 'passed'; readonly hello: Hello | undefined }
  /** `refused`: nobody listens there. */
  | {
      readonly kind: 'failed';
      readonly why: string;
      readonly refused: boolean;
      /** Neither the sidecar nor its kernel said a word: frozen or cut off. Never said of an application. */
      readonly silent?: true;
      /** The sidecar is there, with other keys than ours: somebody has to mend the configuration. */
      readonly wrongKeys?: true;
    };

export interface ProbeOptions {
  readonly timeoutMs: number;
  /** The sidecar's hello; undefined for a bare application. */
  readonly signer: HelloSigner | undefined;
  /** A path of the application, 200 to 399 passes; asked beside the hello where both are given. */
  readonly path: string | undefined;
  /** The sidecar is told with the question that its pod is terminating; undefined: it is not, or can't be told yet. */
  readonly terminating?: HelloTarget | undefined;
}

/** What a passed probe comes to where its answer was another pod's. */
export const foreignAnswer: ProbeResult = {
  kind: 'failed',
  why: 'another pod answers at its address',
  refused: false,
};

/** How a probe calls itself, so that its request makes no session. */
export const probeAgent = 'holdfast-probe/1';

const answerBytesMax = 4096;

/** Never rejects. Takes at most `timeoutMs`. */
export async function probe(address: Address, options: ProbeOptions): Promise<ProbeResult> {
  let asksSidecar = options.signer !== undefined;
  try {
    const hello = options.signer === undefined ? undefined : await askHello(address, options.signer, options);
    asksSidecar = false;
    if (hello?.application === 'down')
      return { kind: 'failed', why: 'its application does not answer', refused: false };
    if (options.path !== undefined) await askPath(address, options.path, options.timeoutMs);
    else if (hello === undefined) await askConnection(address, options.timeoutMs);
    return { kind: 'passed', hello };
  } catch (error) {
    if (error instanceof WrongKeys) return { kind: 'failed', why: error.message, refused: false, wrongKeys: true };
    const refused = error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
    const why = error instanceof Error ? error.message : String(error);
    if (asksSidecar && isSilence(error)) return { kind: 'failed', why, refused, silent: true };
    return { kind: 'failed', why, refused };
  }
}

async function askHello(
  address: Address,
  signer: HelloSigner,
  { timeoutMs, terminating }: ProbeOptions,
): Promise<Hello> {
  const question = signer.question();
  const word = terminating === undefined ? {} : { [terminatingField]: signer.terminating(terminating) };
  return within(timeoutMs, address, async (client) => {
    const headers = { [helloField]: question.value, ...word, 'user-agent': probeAgent };
    const answer = await client.request({ method: 'GET', path: helloTarget, headers });
    const value = answer.headers[helloField];
    const body = await readBounded(answer.body, answerBytesMax);
    if (body === undefined) throw new Error('the answer is too long');
    const ours = `(ours has the fingerprint ${signer.fingerprints.join(', ')})`;
    if (answer.statusCode === 401 && value === otherKeyAnswer)
      throw new WrongKeys(`its sidecar has another store.key than ours ${ours}`);
    const hello = typeof value === 'string' ? signer.read(question.nonce, { body, value }) : undefined;
    if (hello === undefined && typeof value === 'string')
      throw new WrongKeys(`its sidecar signs with a store.key that is none of ours ${ours}`);
    if (hello === undefined)
      throw new Error(`status ${answer.statusCode} without a signed hello: no sidecar, or another store.key`);
    if (hello.names !== undefined && signer.names !== undefined && hello.names !== signer.names)
      throw new WrongKeys('its sidecar has another store.nameKey or another store.prefix than we');
    return hello;
  });
}

class WrongKeys extends Error {}
/** The time was over. */
class Silence extends Error {}
/** What a kernel or a router says of an address where nobody is: not the pod's own word, as a refusal is. */
const unreachable: readonly unknown[] = ['EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ETIMEDOUT'];

function isSilence(error: unknown): boolean {
  if (error instanceof Silence) return true;
  return error instanceof Error && 'code' in error && unreachable.includes(error.code);
}

async function askPath(address: Address, path: string, timeoutMs: number): Promise<void> {
  await within(timeoutMs, address, async (client) => {
    const answer = await client.request({ method: 'GET', path, headers: { 'user-agent': probeAgent } });
    answer.body.on('error', () => undefined);
    if (answer.statusCode >= 400) throw new Error(`${path} answers ${answer.statusCode}`);
  });
}

/**
 * One exchange on a connection of its own, which ends with it. An AbortSignal would not do: undici minds it only once
 * it is connected, and a black hole never connects.
 */
async function within<Result>(
  timeoutMs: number,
  address: Address,
  exchange: (client: Client) => Promise<Result>,
): Promise<Result> {
  const undici = await import('undici');
  const client = new undici.Client(`http://${formatAddress(address)}`, { pipelining: 0 });
  let silence: Silence | undefined;
  const giveUp = (): void => {
    silence = new Silence(`timeout: no answer in ${timeoutMs} ms`);
    void client.destroy(silence);
  };
  // Where it was we who stood still, the answer is here: it is read in this turn.
  const timer = setTimeout(() => setImmediate(giveUp), timeoutMs);
  try {
    return await exchange(client);
  } catch (error) {
    throw silence ?? error;
  } finally {
    clearTimeout(timer);
    void client.destroy();
  }
}

function askConnection(address: Address, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.host, port: address.port });
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('connecting took too long')));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
  });
}
