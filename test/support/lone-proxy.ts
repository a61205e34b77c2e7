/**
 * The data path in a process of its own, before one pod on loopback: `node lone-proxy.ts POD_PORT [HOLD]` prints the
 * port it listens on. For measurements of the path alone.
 */

import { systemClock } from '../../src/base/clock.ts';
import type { Plan, Role } from '../../src/proxy/plan.ts';
import { createProxy } from '../../src/proxy/proxy.ts';
import { UpstreamPool } from '../../src/upstream/pool.ts';
import { usualLimits, usualTimeouts } from './proxy-under-test.ts';

const [podPort, hold = 'none'] = process.argv.slice(2);
const candidate = {
  address: { host: '127.0.0.1', port: Number(podPort) },
  pod: 'pod',
  fields: [],
  connectTimeoutMs: usualTimeouts.connectMs,
  responseTimeoutMs: usualTimeouts.responseMs,
  isSidecar: false,
};
const plan: Plan = {
  cookie: undefined,
  forwarded: 'replace',
  report: { affinity: 'none', pod: 'pod', tried: [] },
  sessionDigest: undefined,
  next: (failure) =>
    failure === undefined ? { kind: 'forward', candidate } : { kind: 'refuse', reason: failure.reason },
  answered: () => ({ kind: 'pass', hold: hold === 'end' ? 'end' : 'none', fields: [] }),
  settle: () => ({ kind: 'leave' }),
  finish: () => undefined,
};
const role: Role = { closing: false, marksOwnAnswers: false, plan: () => plan };
const clock = systemClock;
const proxy = createProxy({
  role,
  listen: [{ host: '127.0.0.1', port: 0 }],
  timeouts: usualTimeouts,
  limits: usualLimits,
  trustedProxies: [],
  clock,
  pool: new UpstreamPool({ clock, idleMs: usualTimeouts.upstreamIdleMs }),
  observer: {
    ended: () => undefined,
    turnedAway: () => undefined,
    notTaken: () => undefined,
    fault: (error) => console.error(error),
  },
});
const [address] = await proxy.listen();
console.log(address!.port);
