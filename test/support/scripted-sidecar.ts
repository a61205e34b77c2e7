/**
 * A pod as a gateway sees it: it answers the signed hello as a sidecar would, keeps every other request, and answers
 * that as the test says. With its own application behind it, or none: whatever the test has it answer.
 */

import { createServer, type IncomingHttpHeaders, type OutgoingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

import { formatAddress, type Address } from '../../src/base/address.ts';
import type { Secrets } from '../../src/base/keyring.ts';
import {
  type Hello,
  helloField,
  HelloSigner,
  helloTarget,
  otherKeyAnswer,
  terminatingField,
} from '../../src/upstream/hello.ts';
import { formatServedBy, podField, type ServedBy } from '../../src/upstream/signed-fields.ts';

export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

export interface ScriptedAnswer {
  readonly status?: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
  /** The rest of the body, when the test has it. */
  readonly more?: Promise<string>;
  /** The whole answer waits for it. */
  readonly after?: Promise<unknown>;
}

export const testSecrets: Secrets = [Buffer.from('a store key of the tests, 32 byte')];

export class ScriptedSidecar {
  readonly name: string;
  readonly address: Address;
  /** All but hellos. */
  readonly requests: SeenRequest[] = [];
  hellos = 0;
  /** Of them, those with a genuine word that this pod is terminating. */
  toldTerminating = 0;
  /** So many hellos are heard and never answered: Infinity is a frozen sidecar. */
  unansweredHellos = 0;
  /** What the next hellos say; the uid may change as it does when a pod is replaced. */
  hello: Hello;
  /** Undefined: a bare application, which knows no hello. */
  secrets: Secrets | undefined;
  /** How it answers; by default 200, naming itself. */
  answer: (request: SeenRequest) => ScriptedAnswer;
  readonly #server: Server;

  private constructor(name: string, server: Server) {
    this.name = name;
    this.#server = server;
    this.address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    this.hello = { name, uid: `${name}-uid`, application: 'up', store: 'up', draining: false };
    this.secrets = testSecrets;
    this.answer = () => this.served();
    server.on('request', (request, response) => {
      const { method = '', url: target = '', headers } = request;
      const question = headers[helloField];
      if (target === helloTarget && typeof question === 'string' && this.secrets !== undefined) {
        this.hellos++;
        if (this.unansweredHellos > 0) {
          this.unansweredHellos--;
          return;
        }
        this.#hear(headers[terminatingField]);
        const answer = new HelloSigner(this.secrets).answer(question, this.hello);
        response.writeHead(answer === undefined ? 401 : 200, { [helloField]: answer?.value ?? otherKeyAnswer });
        response.end(answer?.body);
        return;
      }
      const seen = { method, target, headers };
      this.requests.push(seen);
      const answer = this.answer(seen);
      if (answer.after === undefined) write(answer);
      else void answer.after.then(() => write(answer));

      function write({ status = 200, headers: fields = {}, body = name, more }: ScriptedAnswer): void {
        response.writeHead(status, fields);
        if (more === undefined) response.end(body);
        else {
          response.write(body);
          void more.then((rest) => response.end(rest));
        }
      }
    });
  }

  static async start(t: TestContext, name: string): Promise<ScriptedSidecar> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const sidecar = new ScriptedSidecar(name, server);
    t.after(() => sidecar.kill());
    return sidecar;
  }

  /** As a sidecar that knows the word: from then on it drains. */
  #hear(word: string | string[] | undefined): void {
    const { uid, run } = this.hello;
    if (typeof word !== 'string' || run === undefined || this.secrets === undefined) return;
    if (!new HelloSigner(this.secrets).isTerminating(word, { uid, run })) return;
    this.toldTerminating++;
    this.hello = { ...this.hello, draining: true };
  }

  get uid(): string {
    return this.hello.uid;
  }

  /** As a source of pods lists it. */
  get listed(): { readonly name: string; readonly address: Address } {
    return { name: this.name, address: this.address };
  }

  get origin(): string {
    return `http://${formatAddress(this.address)}`;
  }

  /** An answer that names who served: this pod, unless told otherwise. */
  served(by: Partial<ServedBy> = {}, headers: OutgoingHttpHeaders = {}): ScriptedAnswer {
    const served = { name: this.hello.name, uid: this.uid, epoch: 0, outcome: 'hit', ...by } as const;
    return { headers: { [podField]: formatServedBy(served), ...headers } };
  }

  /** No longer listens; open connections end. */
  kill(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
