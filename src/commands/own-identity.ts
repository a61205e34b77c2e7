/**
 * Who a sidecar is to others: the owner of sessions, and how other pods reach it.
 *
 * Must not know what an owner does.
 */

import { formatAddress } from '../base/address.ts';
import type { SidecarConfig } from '../config/config.ts';
import { isPlain } from '../proxy/listen-place.ts';
import type { Notes } from '../sessions/notes.ts';
import type { Owner } from '../store/contract.ts';

/** The advertised host, with the port of the first plain data listener; a uid that is not configured is in the notes. */
export function ownIdentity({ pod, peer, listen }: SidecarConfig, notes: Notes): Owner {
  const { port } = listen.find(isPlain) ?? listen[0];
  const data = formatAddress({ host: peer.advertise.host, port });
  return { uid: pod.uid ?? notes.podUid(), name: pod.name, peer: formatAddress(peer.advertise), data };
}
