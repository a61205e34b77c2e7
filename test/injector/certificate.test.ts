/** The webhook's own certificate: what others think of it, and its rotation by several replicas. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { backdateMs, makeCertificate } from '../../src/injector/certificate-maker.ts';
import {
  type CertificateState,
  readSecretData,
  rotate,
  secretData,
  settleMs,
  trusted,
} from '../../src/injector/certificate-rotation.ts';

const names = ['holdfast-injector.ns.svc', 'holdfast-injector.ns.svc.cluster.local'];
const dayMs = 86_400_000;
const lifetimeMs = 90 * dayMs;

function make(nowMs: number, more: { readonly names?: readonly string[]; readonly lifetimeMs?: number } = {}) {
  return makeCertificate({ names, lifetimeMs, ...more, nowMs });
}

test('openssl accepts the certificate for its names, by its authority alone', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-certificate-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [one, other] = [await make(Date.now()), await make(Date.now())];
  const path = (name: string, pem: string): string => {
    writeFileSync(join(folder, name), pem);
    return join(folder, name);
  };
  const verify = (authority: string, host: string): string => {
    const args = ['verify', '-x509_strict', '-purpose', 'sslserver', '-verify_hostname', host];
    const files = ['-CAfile', path('ca.pem', authority), path('own.pem', one.certificate)];
    const { status, stdout, stderr } = spawnSync('openssl', [...args, ...files], { encoding: 'utf8' });
    return status === 0 ? 'ok' : stdout + stderr;
  };
  for (const host of names) assert.equal(verify(one.authority, host), 'ok');
  // Both in one bundle, the wrong one first, as it is during a rotation.
  assert.equal(verify(other.authority + one.authority, names[0]!), 'ok');
  assert.notEqual(verify(other.authority, names[0]!), 'ok');
  assert.match(verify(one.authority, 'elsewhere.ns.svc'), /hostname mismatch/);
});

test('a certificate is valid a little earlier than it was made, for clocks that are behind, and years are written in full after 2049', async () => {
  const nowMs = Date.UTC(2048, 5, 1);
  // Fractions of a second are none that a certificate may have.
  const { certificate, authority, key } = await make(nowMs + 123, { lifetimeMs: 2000 * dayMs });
  const x509 = new X509Certificate(certificate);
  assert.equal(Date.parse(x509.validFrom), nowMs - backdateMs);
  assert.equal(Date.parse(x509.validTo), nowMs + 2000 * dayMs);
  assert.ok(x509.verify(new X509Certificate(authority).publicKey));
  assert.ok(key.startsWith('-----BEGIN PRIVATE KEY-----'));
});

interface Step {
  readonly at: number;
  readonly state: CertificateState;
}

/** Lets time pass in steps, as replicas do their rounds, and tells each state that differs. */
async function history(times: readonly number[]): Promise<readonly Step[]> {
  const seen: Step[] = [];
  let state: CertificateState = {};
  for (const at of times) {
    const next = await rotate(state, at, { names, lifetimeMs, make: () => make(at) });
    if (next === state) continue;
    seen.push({ at, state: next });
    state = readSecretData(secretData(next));
    assert.deepEqual(state, next, 'what is read back is the same');
  }
  return seen;
}

test('a rotation never shows what was not trusted for a while before, and drops no authority that is in use', async () => {
  const from = Date.UTC(2026, 0, 1);
  // Every hour, and every two minutes around the time that matters.
  const hours = Array.from({ length: 59 * 24 }, (_, hour) => from + hour * 3_600_000);
  const closely = Array.from({ length: 2 * 24 * 30 }, (_, step) => from + 59 * dayMs + step * 120_000);
  const states = await history([...hours, ...closely]);
  assert.deepEqual(
    states.map(({ state }) => Object.keys(state).sort().join(' ')),
    ['current', 'current next', 'current previousAuthority', 'current'],
  );
  const [first, announced, exchanged, last] = states as unknown as readonly [Step, Step, Step, Step];
  assert.ok(announced.at >= from + 60 * dayMs, 'not before two thirds of its life');
  assert.equal(announced.state.current?.certificate, first.state.current?.certificate);
  assert.ok(exchanged.at - announced.at >= settleMs(lifetimeMs));
  assert.equal(exchanged.state.current?.certificate, announced.state.next?.certificate);
  assert.ok(trusted(announced.state).includes(exchanged.state.current?.authority ?? 'none'));
  assert.ok(trusted(exchanged.state).includes(first.state.current?.authority ?? 'none'));
  assert.ok(last.at - exchanged.at >= settleMs(lifetimeMs));
  assert.equal(trusted(last.state), exchanged.state.current?.authority);
});

test("what is expired, for other names, broken, or somebody else's is replaced at once", async () => {
  const nowMs = Date.UTC(2026, 0, 1);
  const [good, other] = [await make(nowMs), await make(nowMs)];
  const rules = { names, lifetimeMs, make: () => make(nowMs) };
  const useless: readonly CertificateState[] = [
    {},
    { current: await make(nowMs - lifetimeMs - 1000) },
    { current: await make(nowMs, { names: ['other.ns.svc'] }) },
    { current: { ...good, certificate: 'nonsense' } },
    { current: { ...good, key: other.key } },
    { current: { ...good, authority: other.authority } },
  ];
  for (const state of useless) {
    const after = await rotate(state, nowMs, rules);
    assert.notEqual(after.current?.certificate, state.current?.certificate ?? 'none');
    assert.equal(await rotate(after, nowMs, rules), after);
  }
  const kept = { current: good };
  assert.equal(await rotate(kept, nowMs, rules), kept);
});
