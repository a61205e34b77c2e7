/**
 * Where an API server is and who we are to it.
 *
 * Must not know where that is written.
 */

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
