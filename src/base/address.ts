/**
 * Host and port, as text and back. Knows IPv6 brackets, nothing about sockets or names.
 */

export interface Address {
  readonly host: string;
  /** 0 to 65535; 0 only where "any free port" makes sense (listening). */
  readonly port: number;
}

/**
 * Reads `host:port`, `[v6]:port`.
 * @returns undefined where the text is neither.
 */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  const host = match[1] ?? match[2];
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

/** `host:port`, with brackets around an IPv6 host. */
export function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
