/**
 * The networks whose word is believed: `trustedProxies`.
 *
 * Must not know what is believed of it.
 */

import { BlockList, isIPv6 } from 'node:net';

export class TrustedNetworks {
  readonly #list = new BlockList();
  readonly #isEmpty: boolean;

  /** @param networks CIDRs or single addresses; both were checked when the configuration was read */
  constructor(networks: readonly string[]) {
    this.#isEmpty = networks.length === 0;
    for (const network of networks) {
      const [address = '', bits] = network.split('/');
      const family = familyOf(address);
      if (bits === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(bits), family);
    }
  }

  /** @param address without the mapping of IPv4 into IPv6 */
  has(address: string): boolean {
    // Asked for each connection: an empty list takes as long to say no as a full one.
    return !this.#isEmpty && this.#list.check(address, familyOf(address));
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}
