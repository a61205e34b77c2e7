/** `holdfast inject -f` on text: what changes, and what stays byte for byte. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { injectText } from '../../src/injector/inject-documents.ts';
import { options } from './pods.ts';

const pod = `metadata:
      labels: { app: shop }
      annotations: # what the sidecar has to know
        holdfast.dev/inject: "true"
        holdfast.dev/preset: php
        holdfast.dev/prefix: 'shop'
        holdfast.dev/directory: /sessions
    spec:
      securityContext: { runAsUser: 33 }
      containers:
      - name: php # the application
        image: "php:8"
        ports:
        - {name: web, containerPort: 8000}
`;

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    ${pod}`;

const service = `apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  selector: {app: shop}
  ports:
  - port: 80
    targetPort: 8000   # a number
  - {port: 81, targetPort: 9100}
`;

function javascript(text: string): readonly unknown[] {
  return [...parseAllDocuments(text)].map((document) =>
    'toJS' in document ? (document.toJS() as unknown) : undefined,
  );
}

test('documents that do not change come out byte for byte, comments and all', () => {
  const text = `# first\n%YAML 1.2\n---\n# x\nkind:   A # y\n---\n---\nkind: B\n...\n# end\n`;
  assert.equal(injectText(text, options).text, text);
  const [before, after] = ['# before\nkind:  A\n---\n', '---\nkind:  B   # b\n'];
  const { text: out } = injectText(before + deployment + after, options);
  assert.ok(out.startsWith('# before\nkind:  A\n---\n'));
  assert.ok(out.endsWith(after));
});

test('in a document that changes, comments and the order of keys stay', () => {
  const { text, notes } = injectText(deployment, options);
  for (const kept of ['# what the sidecar has to know', '- name: php # the application', 'image: "php:8"', "'shop'"]) {
    assert.ok(text.includes(kept), kept);
  }
  assert.ok(text.indexOf('annotations:') < text.indexOf('containers:'));
  assert.ok(text.includes('- { containerPort: 8000 }'), text);
  assert.deepEqual(
    notes.map(({ kind, subject }) => `${kind} ${subject}`),
    ['injected Deployment shop'],
  );
});

test('a Service by number that leads to an injected pod gets the name, in either order; other ports stay', () => {
  for (const text of [`${service}---\n${deployment}`, `${deployment}---\n${service}`]) {
    const { text: out, notes } = injectText(text, options);
    assert.ok(out.includes('targetPort: web # a number') && out.includes('targetPort: 9100'), out);
    assert.ok(notes.some(({ kind, words }) => kind === 'rewritten' && words === 'targetPort 8000 is web now'));
  }
});

test('a Service of another namespace, or of other pods, stays', () => {
  for (const other of [
    service.replace('{name: shop}', '{name: shop, namespace: b}'),
    service.replace('app: shop', 'app: b'),
  ]) {
    assert.ok(injectText(`${deployment}---\n${other}`, options).text.includes('targetPort: 8000   # a number'));
  }
});

test('a second run changes nothing', () => {
  const once = injectText(`${service}---\n${deployment}`, options).text;
  assert.equal(injectText(once, options).text, once);
});

test('Lists, JSON and bare pods', () => {
  const [object] = javascript(deployment);
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [object, { kind: 'ConfigMap' }] });
  const { text } = injectText(list, options);
  const written = JSON.parse(text) as { items: { spec: { template: { spec: { initContainers: unknown[] } } } }[] };
  assert.equal(written.items[0]?.spec.template.spec.initContainers.length, 1);
  assert.deepEqual(written.items[1], { kind: 'ConfigMap' });

  const bare = `apiVersion: v1\nkind: Pod\n${pod.replaceAll('\n    ', '\n')}`;
  assert.ok(injectText(bare, options).text.includes('name: holdfast'));
});

test('a Job is skipped, and so is what can not have a sidecar: both come out as they were', () => {
  const job = deployment.replace('apps/v1', 'batch/v1').replace('Deployment', 'Job');
  const unknown = deployment.replace('preset: php', 'preset: rails');
  for (const [text, reason] of [
    [job, 'not-a-server'],
    [unknown, 'preset-unknown'],
  ] as const) {
    const { text: out, notes } = injectText(text, options);
    assert.equal(out, text);
    assert.deepEqual(
      notes.map((note) => note.reason),
      [reason],
    );
  }
});

test('a document with anchors is written as a whole, and means the same', () => {
  const anchored = deployment
    .replace('metadata: {name: shop}', 'metadata: {name: shop, labels: &l {app: shop}}')
    .replace('{ app: shop }', '*l');
  assert.ok(anchored.includes('*l'));
  const { text } = injectText(`${anchored}---\n${service}`, options);
  const [first, second] = javascript(text);
  const [plain] = javascript(injectText(deployment, options).text);
  assert.deepEqual({ ...(first as object), metadata: 0 }, { ...(plain as object), metadata: 0 });
  assert.equal((second as { kind: string }).kind, 'Service');
});

test('what is no YAML is said with its line', () => {
  assert.throws(() => injectText('a: *b\n', options), { name: 'SyntaxError' });
  assert.throws(() => injectText('a: [1\nb: 2\n', options), { name: 'SyntaxError', message: /line \d/ });
});
