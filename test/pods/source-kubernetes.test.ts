/** The source before an API server that lists and watches as a real one, and fails as no real one does on demand. */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { type Clock, systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { openKubernetesSource, type KubernetesPlace } from '../../src/kubernetes/source-kubernetes.ts';
import type { ListedPod } from '../../src/pods/pod-set.ts';
import type { PodSource } from '../../src/pods/pod-source.ts';
import { ScriptedApiServer, statusObject } from '../support/scripted-api-server.ts';
import { until } from '../support/until.ts';

interface Subject {
  readonly api: ScriptedApiServer;
  readonly source: PodSource;
  readonly lists: (readonly ListedPod[])[];
  /** The names of the last list. */
  readonly names: () => string;
  readonly log: () => string;
  readonly sees: (names: string) => Promise<unknown>;
}

async function listening(
  t: TestContext,
  given: {
    readonly api?: ScriptedApiServer;
    readonly silenceMs?: number;
    readonly clock?: Clock;
    readonly place?: Partial<KubernetesPlace>;
  } = {},
): Promise<Subject> {
  const api = given.api ?? (await ScriptedApiServer.start(t));
  const lines: string[] = [];
  const source = await openKubernetesSource({
    place: { namespace: undefined, service: 'app', port: 'http', ...given.place },
    env: { KUBECONFIG: api.kubeconfig },
    clock: given.clock ?? systemClock,
    log: createLog({ level: 'info', destination: { write: (line: string) => void lines.push(line) } }),
    random: Math.random,
    ...(given.silenceMs === undefined ? {} : { silenceMs: given.silenceMs }),
  });
  t.after(() => source.stop());
  const lists: (readonly ListedPod[])[] = [];
  source.start((pods) => void lists.push(pods));
  const names = (): string => (lists.at(-1) ?? []).map(({ name }) => name).join(' ');
  const sees = (wanted: string) => until(`the pods are ${wanted}`, () => lists.length > 0 && names() === wanted);
  return { api, source, lists, names, sees, log: () => lines.join('') };
}

const slice = (name: string, ...pods: readonly string[]) => ({
  name,
  endpoints: pods.map((pod) => ({ name: pod, address: `10.0.0.${pod.charCodeAt(0)}` })),
});

test('slices are listed, then watched: those that come, change and go', async (t) => {
  const { api, source, lists, sees } = await listening(t);
  await sees('');
  assert.match(source.view.problem ?? '', /Service shop\/app has no EndpointSlices/);
  api.put(slice('one', 'a', 'b'));
  await sees('a b');
  assert.equal(source.view.problem, undefined);
  api.put(slice('two', 'c'));
  await sees('a b c');
  api.put(slice('one', 'b'));
  await sees('b c');
  api.remove('two');
  await sees('b');
  const [first] = api.questions;
  assert.deepEqual(
    [first?.path, first?.query.get('labelSelector'), first?.token],
    ['/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices', 'kubernetes.io/service-name=app', 'first'],
  );
  assert.equal(api.questions.length, 2, 'one list and one watch');
  const before = lists.length;
  api.put(slice('one', 'b'));
  api.bookmark();
  api.put(slice('two'));
  api.put(slice('one', 'b', 'd'));
  await sees('b d');
  assert.equal(lists.length, before + 1, 'what changes nothing is not told');
});

test('a list in several pages is one list', async (t) => {
  const api = await ScriptedApiServer.start(t);
  for (const pod of ['a', 'b', 'c', 'd', 'e']) api.put(slice(`slice-${pod}`, pod));
  api.pageItems = 2;
  const { lists, sees } = await listening(t, { api });
  await sees('a b c d e');
  assert.equal(lists.length, 1);
});

test('a watch that ends goes on from where it was, with the token as it is by then; nothing is listed again', async (t) => {
  const { api, sees } = await listening(t);
  await until('it watches', () => api.watches === 1);
  api.put(slice('one', 'a'));
  await sees('a');
  await api.useToken('second');
  api.endWatches('in-order');
  api.put(slice('one', 'a', 'b'));
  await sees('a b');
  assert.deepEqual(
    api.questions.map(({ isWatch, token }) => `${isWatch ? 'watch' : 'list'} ${token}`),
    ['list first', 'watch first', 'watch second'],
  );
});

test('a watch that breaks off in the middle of a line loses nothing', async (t) => {
  const { api, sees, source } = await listening(t);
  await until('it watches', () => api.watches === 1);
  api.say('{"type":"ADDED","object":{"metadata":{"name":"half');
  api.endWatches('broken');
  api.put(slice('one', 'a'));
  await sees('a');
  assert.equal(source.view.errors.get('unreachable'), 1);
});

test('where its version is too old everything is listed again, at once: what went meanwhile is gone', async (t) => {
  const { api, sees, source } = await listening(t);
  api.put(slice('one', 'a'));
  api.put(slice('two', 'b'));
  await sees('a b');
  api.isMute = true;
  api.remove('two');
  api.put(slice('three', 'c'));
  api.isMute = false;
  api.compact();
  api.endWatches('in-order');
  await sees('a c');
  assert.equal(source.view.errors.get('expired'), 1);
  assert.equal(source.view.problem, undefined, 'nothing was missed');
});

test('an API server that says 410 to every watch is asked with back-off, and its lists count', async (t) => {
  const { api, source, sees } = await listening(t);
  api.put(slice('one', 'a'));
  api.wrong = ({ isWatch }) => (isWatch ? { status: 410, body: JSON.stringify(statusObject(410, 'gone')) } : undefined);
  api.endWatches('in-order');
  await sees('a');
  await until('it was told three times', () => source.view.errors.get('expired') === 3);
  // 125 ms at least before the third list.
  assert.ok(api.questions.length < 12, `${api.questions.length} questions`);
  api.wrong = undefined;
  api.put(slice('one', 'a', 'b'));
  await sees('a b');
});

test('an API server that says 410 to lists too is told of at the second, and asked with back-off', async (t) => {
  const { api, source, log, sees } = await listening(t);
  await sees('');
  api.wrong = () => ({ status: 410, body: JSON.stringify(statusObject(410, 'gone')) });
  const asked = api.questions.length;
  api.endWatches('in-order');
  await until('it is told', () => /answered 410: gone/.test(source.view.problem ?? ''));
  assert.ok(api.questions.length - asked <= 3, `${api.questions.length - asked} questions`);
  assert.match(log(), /answered 410: gone/);
});

/** Waits are over at once; how long they would have been. */
function hasty(): { readonly clock: Clock; readonly pauses: number[] } {
  const pauses: number[] = [];
  const clock: Clock = {
    nowMs: () => systemClock.nowMs(),
    monotonicMs: () => systemClock.monotonicMs(),
    after: (ms, run) => {
      if (ms < 60_000) pauses.push(ms);
      return systemClock.after(ms < 60_000 ? 0 : ms, run);
    },
  };
  return { clock, pauses };
}

const bookmark = `${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '2000' } } })}\n`;

test('watches that bring something and end at once are opened further and further apart, and told of', async (t) => {
  const { clock, pauses } = hasty();
  const { api, source, sees } = await listening(t, { clock });
  await sees('');
  api.wrong = ({ isWatch }) => (isWatch ? { status: 200, body: bookmark } : undefined);
  api.endWatches('in-order');
  await until('it is told', () => /ends each watch at once/.test(source.view.problem ?? ''));
  await until('it was tried for a while', () => pauses.length >= 8);
  assert.ok(Math.min(...pauses.slice(0, 8)) > 100, 'no two at once');
  assert.ok(Math.max(...pauses.slice(0, 8)) >= 1000, pauses.join(' '));
});

test('watches that end in garbage are opened further and further apart, whatever came before it', async (t) => {
  const { clock, pauses } = hasty();
  const { api, source, sees, log } = await listening(t, { clock });
  await sees('');
  api.wrong = ({ isWatch }) => (isWatch ? { status: 200, body: `${bookmark}<html>\n` } : undefined);
  api.endWatches('in-order');
  await until('it was tried for a while', () => (source.view.errors.get('bad-answer') ?? 0) >= 6);
  assert.ok(Math.max(...pauses) >= 1000, pauses.join(' '));
  assert.equal(log().split('is no JSON').length, 2, 'told once');
});

test('while the API server is away the last known pods stay, and once it is back it goes on', async (t) => {
  const { api, source, lists, names, sees, log } = await listening(t);
  api.put(slice('one', 'a', 'b'));
  await sees('a b');
  const told = lists.length;
  api.stop();
  await until('it is missed', () => (source.view.errors.get('unreachable') ?? 0) > 2);
  assert.deepEqual([names(), lists.length], ['a b', told]);
  assert.match(source.view.problem ?? '', /the API server can not be reached: .*ECONNREFUSED/);
  assert.match(log(), /those that were known last stay/);
  api.put(slice('one', 'b', 'c'));
  await api.restart();
  await sees('b c');
  assert.equal(source.view.problem, undefined);
  assert.match(log(), /pods are listed again/);
});

test('a watch over which nothing comes is given up and opened again', async (t) => {
  const { api, source, sees } = await listening(t, { silenceMs: 300 });
  api.put(slice('one', 'a'));
  await sees('a');
  api.isMute = true;
  api.put(slice('one', 'a', 'b'));
  await until('it was silent', () => (source.view.errors.get('silent') ?? 0) > 0);
  assert.match(source.view.problem ?? 'it was opened again already', /nothing came|opened again/);
  api.isMute = false;
  await sees('a b');
});

test('who may not list is told the Role that is needed, in the log and in the view; whoever mends it need not restart', async (t) => {
  const api = await ScriptedApiServer.start(t);
  const words = 'endpointslices.discovery.k8s.io is forbidden: User "gateway" cannot list resource';
  api.put(slice('one', 'a'));
  api.wrong = () => ({ status: 403, body: JSON.stringify(statusObject(403, words)) });
  const { source, lists, sees, log } = await listening(t, { api });
  await until('it was denied', () => (source.view.errors.get('denied') ?? 0) > 1);
  assert.deepEqual([source.view.isSeen, lists.length], [false, 0]);
  assert.match(
    source.view.problem ?? '',
    /403: endpointslices.*forbidden.*Role with .*"endpointslices".*"list", "watch".*shop/,
  );
  assert.match(log(), /"level":"error".*none are known yet/);
  api.wrong = undefined;
  await sees('a');
  api.wrong = () => ({ status: 403, body: JSON.stringify(statusObject(403, words)) });
  api.endWatches('in-order');
  await until('it is denied again', () => source.view.problem !== undefined);
  assert.deepEqual([source.view.isSeen, source.view.pods.length], [true, 1]);
});

test('tokens that are refused, servers that are overloaded, and pages that are none of an API server are told apart', async (t) => {
  const cases = [
    [
      { status: 401, body: JSON.stringify(statusObject(401, 'Unauthorized')) },
      'unauthenticated',
      /does not accept our token/,
    ],
    [{ status: 500, body: JSON.stringify(statusObject(500, 'etcd is away')) }, 'refused', /500: etcd is away/],
    [
      { status: 502, body: '<html>bad gateway</html>', type: 'text/html' },
      'refused',
      /502: not from an API server \(text\/html\)/,
    ],
    [
      { status: 200, body: '<html>log in first</html>', type: 'text/html' },
      'bad-answer',
      /200: not from an API server/,
    ],
    [{ status: 200, body: '{"kind":"EndpointSliceList","items":[' }, 'bad-answer', /no JSON|no list/],
    [{ status: 200, body: '{}' }, 'bad-answer', /no list|no type/],
  ] as const;
  for (const [wrong, kind, words] of cases) {
    const { api, source, sees } = await listening(t);
    api.put(slice('one', 'a'));
    await sees('a');
    await until('it watches', () => api.watches === 1);
    const before = source.view.errors.get(kind) ?? 0;
    let isAsked = false;
    api.wrong = ({ isWatch }) => {
      // What is wrong with a list shows in one.
      if (isWatch && wrong.status === 200 && wrong.body.startsWith('{')) return { status: 410, body: '{}' };
      isAsked = true;
      return wrong;
    };
    api.endWatches('in-order');
    await until(`${kind} is told`, () => isAsked && (source.view.errors.get(kind) ?? 0) > before);
    await until(`its words`, () => words.test(source.view.problem ?? ''));
    assert.equal(source.view.pods.length, 1);
    api.wrong = undefined;
    await until('all is well', () => source.view.problem === undefined && api.watches === 1);
  }
});

test('a line that is no event is not passed over: everything is listed again', async (t) => {
  for (const line of [
    '<html>',
    '{}',
    '{"type":"ADDED","object":{}}',
    '{"type":"ERROR","object":{"code":504,"message":"too large version"}}',
  ]) {
    const { api, source, sees } = await listening(t);
    api.put(slice('one', 'a'));
    await sees('a');
    const lists = () => api.questions.filter(({ isWatch }) => !isWatch).length;
    const before = lists();
    await until('it watches', () => api.watches === 1);
    api.say(`${line}\n`);
    await until(`it is listed again after ${line}`, () => lists() > before);
    assert.equal(source.view.errors.get('bad-answer'), 1);
  }
});

test('endpoints without the wanted port are named with the ports that are there', async (t) => {
  const { api, source, log } = await listening(t, { place: { port: 'web' } });
  api.put(slice('one', 'a', 'b'));
  const words = '2 endpoints do not have the port web; ports that are there: http';
  await until('it is told', () => source.view.problem === words);
  assert.match(log(), new RegExp(words));
  assert.deepEqual([source.view.skipped.get('no-port'), source.view.isSeen], [2, true]);
});

test('outside of clusters and without KUBECONFIG the start fails with what is missing', async () => {
  const options = {
    place: { namespace: undefined, service: 'app', port: undefined },
    clock: systemClock,
    random: Math.random,
  };
  const log = createLog({ level: 'silent' });
  const open = (env: Readonly<Record<string, string>>) => openKubernetesSource({ ...options, log, env });
  await assert.rejects(open({}), /KUBERNETES_SERVICE_HOST is not set/);
  await assert.rejects(
    open({ KUBERNETES_SERVICE_HOST: '10.0.0.1' }),
    /ca\.crt can not be read.*automountServiceAccountToken/,
  );
  await assert.rejects(open({ KUBECONFIG: '/nowhere/config' }), /KUBECONFIG \/nowhere\/config: .* can not be read/);
});

test('after its end nothing is asked any more', async (t) => {
  const { api, source } = await listening(t);
  await until('it watches', () => api.watches === 1);
  source.stop();
  await until('the watch ended', () => api.watches === 0);
  const asked = api.questions.length;
  api.put(slice('one', 'a'));
  assert.deepEqual([api.questions.length, source.view.pods.length], [asked, 0]);
});
