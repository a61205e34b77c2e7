/** Real load balancers before a listener with proxyProtocol. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHaproxy, startNginxStream } from '../support/balancers.ts';
import { freePorts } from '../support/free-port.ts';
import { peerRole, toldPeer } from '../support/peer-role.ts';
import { ProxyUnderTest } from '../support/proxy-under-test.ts';
import { connectPeer } from '../support/scripted-peers.ts';

test('HAProxy and nginx name the client, by either version of the PROXY protocol', async (t) => {
  // Only the balancer is trusted: who is named by it is somebody else.
  const under = await ProxyUnderTest.start(t, {
    role: peerRole(),
    trustedProxies: ['127.0.0.1'],
    place: { proxyProtocol: true },
  });
  const target = under.address.port;
  const ports = await freePorts(4);
  const words = ['send-proxy', 'send-proxy-v2', 'send-proxy-v2-ssl proxy-v2-options crc32c,unique-id check'];
  await startHaproxy(
    t,
    words.map((word, index) => ({ port: ports[index]!, target, words: word })),
  );
  await startNginxStream(t, [{ port: ports[3]!, target, words: 'proxy_protocol on' }]);
  for (const port of ports) {
    const client = await connectPeer(t, { host: '127.0.0.1', port }, '127.0.0.77');
    client.send('GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
    await client.takes('\r\n\r\n');
    assert.deepEqual(toldPeer(await client.takes('}')), { address: '127.0.0.77', secure: false, trusted: false });
  }
  assert.deepEqual(
    under.notTaken.map(({ reason, detail }) => [reason, detail]),
    [],
  );
});
