/**
 * Where the API server is and who we are to it: the service account of the pod, or what KUBECONFIG names. Read again
 * for each connection, because tokens are renewed every few minutes, and certificates too.
 *
 * Must not know what is asked.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { HoldfastError } from '../base/errors.ts';
import type { ApiAccess } from './api-access.ts';

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

/** @throws HoldfastError 'bad-configuration' where nothing says how to reach an API server, or a file is not there. */
export async function readApiAccess(env: Readonly<Record<string, string | undefined>>): Promise<ApiAccess> {
  const file = env['KUBECONFIG'];
  if (file !== undefined && file !== '') {
    // Outside of clusters only, so that others need not read YAML.
    const { readKubeconfig } = await import('./kubeconfig.ts');
    return readKubeconfig(file);
  }
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '443';
  if (host === undefined || host === '') {
    throw new HoldfastError(
      'bad-configuration',
      'This is no pod (KUBERNETES_SERVICE_HOST is not set), and KUBECONFIG names no file',
    );
  }
  return {
    origin: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    basePath: '',
    ca: await ownFile('ca.crt'),
    clientCertificate: undefined,
    serverName: undefined,
    verified: true,
    token: await ownFile('token'),
    namespace: await ownFile('namespace'),
  };
}

async function ownFile(name: string): Promise<string> {
  const path = join(serviceAccount, name);
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new HoldfastError(
      'bad-configuration',
      `${path} can not be read: the pod needs a service account and automountServiceAccountToken: true`,
      { cause },
    );
  }
}
