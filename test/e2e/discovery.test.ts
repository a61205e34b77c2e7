/** The whole way without a cluster: a gateway process, EndpointSlices of a scripted API server, real pods. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type DeployedPod, prepare } from '../support/deployment.ts';
import { ScriptedApiServer, statusObject } from '../support/scripted-api-server.ts';
import { until } from '../support/until.ts';

/** Ports differ from pod to pod here, so that each has a slice of its own, as with a named port of different numbers. */
function sliceOf(pod: DeployedPod, conditions = {}) {
  return {
    name: `app-${pod.name}`,
    endpoints: [{ name: pod.name, uid: `${pod.name}-uid-1`, address: '127.0.0.1', conditions }],
    ports: [{ name: 'http', port: pod.dataPort }],
  };
}

test('a gateway serves the pods that EndpointSlices list: sessions stay where they are, and follow when pods go', async (t) => {
  const api = await ScriptedApiServer.start(t);
  api.wrong = () => ({ status: 403, body: JSON.stringify(statusObject(403, 'endpointslices is forbidden')) });
  // This process has no other use for it, and its children have it from here.
  process.env['KUBECONFIG'] = api.kubeconfig;
  const kubernetes = { service: 'app', port: 'http' };
  const deployment = await prepare({ application: 'plain-php', gateway: { pods: { static: undefined, kubernetes } } });
  t.after(async () => {
    if (!t.passed) t.diagnostic(await deployment.lastWords());
    await deployment.close();
  });
  const [first, second, third] = deployment.pods as [DeployedPod, DeployedPod, DeployedPod];
  for (const pod of deployment.pods) api.put(sliceOf(pod));
  const gateway = deployment.gateways[0]!;
  await deployment.redis.start();
  await Promise.all(deployment.pods.map((pod) => pod.start()));

  // Without the Role it is not ready, and says why; with it nobody has to restart it.
  await gateway.launch();
  await until('it says what is missing', async () => {
    const { status, text } = await gateway.probe('/readyz');
    return status === 503 && /403: endpointslices is forbidden.*Role with .*endpointslices/.test(text);
  });
  api.wrong = undefined;
  await until('it is ready', () => gateway.isReady());
  await deployment.gatewaysKnowPods();

  const user = deployment.browser();
  assert.equal(await user.number('/inc'), 1);
  const home = await deployment.podOf(user);
  assert.equal(await user.number('/inc'), 2);
  const others = [first, second, third].filter((pod) => pod !== home);

  // Terminating and serving: it gets nothing new, and its session moves at its next request.
  api.put(sliceOf(home, { ready: false, serving: true, terminating: true }));
  await until('it drains', async () =>
    /holdfast_pods\{state="draining"\} 1/.test((await gateway.probe('/metrics')).text),
  );
  assert.equal(await user.number('/inc'), 3);
  const next = await deployment.podOf(user);
  assert.ok(others.includes(next));
  api.remove(`app-${home.name}`);
  await until('it is gone', async () => /holdfast_pods\{state="gone"\} 1/.test((await gateway.probe('/metrics')).text));
  assert.equal(await user.number('/inc'), 4);

  // The API server goes away, and so does a pod: the rest is known.
  api.stop();
  await until('it is missed', async () => /^holdfast_discovery_up 0$/m.test((await gateway.probe('/metrics')).text));
  await next.kill();
  assert.equal(await user.number('/inc'), 5);
  const { status, text } = await gateway.probe('/readyz');
  assert.deepEqual([status, /degraded: the API server can not be reached/.test(text)], [200, true]);
  const page = (await gateway.probe('/metrics')).text;
  assert.match(page, /^holdfast_discovery_pods\{state="ready"\} 2$/m);
  assert.match(page, /^holdfast_discovery_errors_total\{kind="denied"\} [1-9]/m);
});
