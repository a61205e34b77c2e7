/** Who we are to an API server by KUBECONFIG: what is read of the file, and what is refused by its name. */

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { TLSSocket } from 'node:tls';

import { ApiClient } from '../../src/kubernetes/api-client.ts';
import { readKubeconfig } from '../../src/kubernetes/kubeconfig.ts';
import { Authority } from '../support/certificates.ts';

type Part = Readonly<Record<string, unknown>>;

/** A file with one context; its path. */
async function kubeconfig(
  t: TestContext,
  { user = {}, cluster = {} }: { user?: Part; cluster?: Part },
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-kubeconfig-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'config');
  const config = {
    'current-context': 'here',
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1', ...cluster } }],
    users: [{ name: 'u', user }],
  };
  await writeFile(file, JSON.stringify(config));
  return file;
}

/** Whose certificate the client of a TLS server showed. */
function peerOf(socket: Socket): string {
  return socket instanceof TLSSocket ? String(socket.getPeerCertificate().subject.CN) : '';
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

test('a client certificate is shown, whether it stands in the file or beside it, and the authority is checked', async (t) => {
  const authority = await Authority.create('a cluster');
  t.after(() => authority.remove());
  const [server, client] = [await authority.issue('api.test'), await authority.issue('an-operator')];
  const shown: string[] = [];
  const listening = createServer(
    {
      cert: server.certificate,
      key: server.key,
      ca: authority.certificate,
      requestCert: true,
      rejectUnauthorized: true,
    },
    (request, response) => {
      shown.push(peerOf(request.socket));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"metadata":{}}');
    },
  );
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  t.after(() => listening.close());
  const origin = `https://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  const cluster = { server: origin, 'tls-server-name': 'api.test' };
  const ask = async (file: string): Promise<unknown> => {
    const api = new ApiClient(await readKubeconfig(file), 'nothing');
    try {
      return await api.page('/api', {});
    } finally {
      api.destroy();
    }
  };
  const inside = {
    user: { 'client-certificate-data': base64(client.certificate), 'client-key-data': base64(client.key) },
    cluster: { ...cluster, 'certificate-authority-data': base64(authority.certificate) },
  };
  const beside = {
    user: { 'client-certificate': client.certificateFile, 'client-key': client.keyFile },
    cluster: { ...cluster, 'certificate-authority': authority.certificateFile },
  };
  for (const given of [inside, beside]) assert.deepEqual(await ask(await kubeconfig(t, given)), { metadata: {} });
  assert.deepEqual(shown, ['an-operator', 'an-operator']);

  const stranger = await Authority.create('another cluster');
  t.after(() => stranger.remove());
  const elsewhere = { ...inside, cluster: { ...cluster, 'certificate-authority': stranger.certificateFile } };
  await assert.rejects(ask(await kubeconfig(t, elsewhere)), /can not be reached: .*certificate/i);
  await assert.rejects(ask(await kubeconfig(t, { cluster: inside.cluster })), /can not be reached/);
});

for (const [name, given, words] of [
  ['exec', { user: { exec: { command: 'aws' } } }, /its user needs exec, which is not run here: use a token/],
  ['auth-provider', { user: { 'auth-provider': { name: 'gcp' } } }, /its user needs auth-provider, which is not run/],
  ['a password', { user: { username: 'a', password: 'b' } }, /its user needs username, which API servers take no more/],
  ['impersonation', { user: { token: 't', as: 'somebody' } }, /its user needs as, which is not done here/],
  ['a proxy', { cluster: { 'proxy-url': 'http://p' } }, /its cluster needs proxy-url, which is not used here/],
  [
    'half a certificate',
    { user: { 'client-certificate-data': 'YQ==' } },
    /only one of client-certificate and client-key/,
  ],
] as const) {
  test(`${name} is refused with the reason`, async (t) => {
    await assert.rejects(readKubeconfig(await kubeconfig(t, given)), words);
  });
}
