/**
 * The environment that a sidecar would find, for a trial of its configuration before the pod exists: what comes from
 * other objects is stood in for by something of the right shape. Pure.
 */

import type { SidecarParts } from './sidecar-container.ts';
import { sidecarVariables } from './sidecar-container.ts';

/** No secret: a key of the right length for every preset. */
const standInKey = 'base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';

export function judgedVariables(
  parts: Pick<SidecarParts, 'settings' | 'applicationPort' | 'directory' | 'keys'>,
): Readonly<Record<string, string>> {
  const variables = sidecarVariables(parts);
  const keysOf = (list: string): string => JSON.stringify((JSON.parse(list) as string[]).map(() => standInKey));
  return {
    ...variables,
    HOLDFAST_STORE_URL: 'redis://store:6379',
    HOLDFAST_STORE_KEY: keysOf(variables['HOLDFAST_STORE_KEY'] ?? '[]'),
    ...(variables['HOLDFAST_STORE_NAME_KEY'] === undefined ? {} : { HOLDFAST_STORE_NAME_KEY: standInKey }),
    ...(variables['HOLDFAST_SESSION_KEYS'] === undefined
      ? {}
      : { HOLDFAST_SESSION_KEYS: keysOf(variables['HOLDFAST_SESSION_KEYS']) }),
    HOLDFAST_POD_NAME: 'pod',
    HOLDFAST_POD_UID: 'uid',
    HOLDFAST_PEER_ADVERTISE: '10.0.0.1',
  };
}
