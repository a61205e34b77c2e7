/** A role that answers each request with whom it takes the client for. */

import type { ClientPeer, ExchangeRequest } from '../../src/proxy/plan.ts';
import { ScriptedRole } from './scripted-role.ts';

export function peerRole(): ScriptedRole {
  return new ScriptedRole({ candidates: [], next: (_, request) => ({ kind: 'answer', answer: told(request) }) });
}

/** Its answer's body, read. */
export function toldPeer(body: string): Pick<ClientPeer, 'address' | 'secure' | 'trusted'> {
  return JSON.parse(body) as ClientPeer;
}

function told({ client }: ExchangeRequest) {
  const { address, secure, trusted } = client;
  return { status: 200, reason: undefined, fields: [], body: JSON.stringify({ address, secure, trusted }) } as const;
}
