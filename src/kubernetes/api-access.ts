/**
 * Where an API server is and who we are to it, and what follows from that for each connection and request.
 *
 * Must not know where that is written.
 */

import type { buildConnector } from 'undici';

export interface ApiAccess {
  /** `https://host:port`. */
  readonly origin: string;
  /** What stands before each path, without a slash at its end; usually nothing. */
  readonly basePath: string;
  readonly ca: string | undefined;
  readonly clientCertificate: { readonly certificate: string; readonly key: string } | undefined;
  /** The name in its certificate, where that is not the origin's. */
  readonly serverName: string | undefined;
  /** False: whoever answers is believed, as KUBECONFIG says. */
  readonly verified: boolean;
  readonly token: string | undefined;
  /** Where we are. */
  readonly namespace: string;
}

/** How to connect there, as undici's `connect` has it. */
export function connectOptions(access: ApiAccess, timeoutMs: number): buildConnector.BuildOptions {
  const { ca, clientCertificate, serverName, verified } = access;
  return {
    timeout: timeoutMs,
    rejectUnauthorized: verified,
    ...(ca === undefined ? {} : { ca }),
    ...(clientCertificate === undefined ? {} : { cert: clientCertificate.certificate, key: clientCertificate.key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

/** @param contentType of the request's body; undefined: it has none. */
export function requestFields({ token }: ApiAccess, contentType: string | undefined): Record<string, string> {
  return {
    accept: 'application/json',
    'user-agent': 'holdfast',
    ...(contentType === undefined ? {} : { 'content-type': contentType }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
}
