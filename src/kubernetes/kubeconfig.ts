/**
 * How to reach an API server by a kubeconfig file's current context: an address, a CA, and a token or a client
 * certificate. What would need more (programs that make tokens, a proxy, somebody else's name) is refused by its name:
 * without it we would be somebody else there, or nobody.
 *
 * Must not know what is asked.
 */

import { readFile } from 'node:fs/promises';
import { delimiter, dirname, resolve } from 'node:path';
import { parse } from 'yaml';

import { HoldfastError } from '../base/errors.ts';
import type { ApiAccess } from './api-access.ts';
import { field, text } from './object-fields.ts';

/** What stands in a user or a cluster and is not done here, and what to do instead. */
const notDone: Readonly<Record<'user' | 'cluster', Readonly<Record<string, string>>>> = {
  user: {
    exec: 'which is not run here: use a token or a client certificate',
    'auth-provider': 'which is not run here: use a token or a client certificate',
    username: 'which API servers take no more: use a token or a client certificate',
    as: 'which is not done here: use a user who may list and watch EndpointSlices',
  },
  cluster: { 'proxy-url': 'which is not used here: the API server has to be reached directly' },
};

/** @throws HoldfastError 'bad-configuration' */
export async function readKubeconfig(files: string): Promise<ApiAccess> {
  // Several would be merged by kubectl; ours is one cluster and one user.
  const [file = ''] = files.split(delimiter);
  const root = parsed(file, await fileText(file, resolve(file)));
  const contextName = text(field(root, 'current-context'));
  const context = named(root, 'contexts', 'context', contextName);
  const cluster = named(root, 'clusters', 'cluster', text(field(context, 'cluster')));
  const user = named(root, 'users', 'user', text(field(context, 'user')));
  const server = text(field(cluster, 'server'));
  if (server === undefined || !URL.canParse(server)) {
    throw unusable(file, `its context "${contextName ?? ''}" leads to no server`);
  }
  for (const [who, object] of [
    ['user', user],
    ['cluster', cluster],
  ] as const) {
    const asked = Object.entries(notDone[who]).find(([name]) => field(object, name) !== undefined);
    if (asked !== undefined) throw unusable(file, `its ${who} needs ${asked[0]}, ${asked[1]}`);
  }
  const url = new URL(server);
  const certificate = await content(file, user, 'client-certificate');
  const key = await content(file, user, 'client-key');
  if ((certificate === undefined) !== (key === undefined)) {
    throw unusable(file, 'its user has only one of client-certificate and client-key');
  }
  const tokenFile = text(field(user, 'tokenFile'));
  return {
    origin: url.origin,
    basePath: url.pathname.replace(/\/$/, ''),
    ca: await content(file, cluster, 'certificate-authority'),
    clientCertificate: certificate === undefined || key === undefined ? undefined : { certificate, key },
    serverName: text(field(cluster, 'tls-server-name')),
    verified: field(cluster, 'insecure-skip-tls-verify') !== true,
    token: tokenFile === undefined ? text(field(user, 'token')) : (await fileText(file, tokenFile)).trim(),
    namespace: text(field(context, 'namespace')) ?? 'default',
  };
}

function named(root: unknown, list: string, what: string, name: string | undefined): unknown {
  const entries = field(root, list);
  if (!Array.isArray(entries) || name === undefined) return undefined;
  return field(
    entries.find((entry) => field(entry, 'name') === name),
    what,
  );
}

/** `NAME-data` in base64, or the file that `NAME` is the path of. */
async function content(file: string, object: unknown, name: string): Promise<string | undefined> {
  const data = text(field(object, `${name}-data`));
  if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
  const path = text(field(object, name));
  return path === undefined ? undefined : fileText(file, path);
}

/** Paths in a kubeconfig are relative to it. */
async function fileText(file: string, path: string): Promise<string> {
  try {
    return await readFile(resolve(dirname(file), path), 'utf8');
  } catch (cause) {
    throw unusable(file, `${path} can not be read`, cause);
  }
}

function parsed(file: string, given: string): unknown {
  try {
    return parse(given);
  } catch (cause) {
    throw unusable(file, 'it is no YAML', cause);
  }
}

function unusable(file: string, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('bad-configuration', `KUBECONFIG ${file}: ${why}`, { cause });
}
