/**
 * The session checker as a program of its own, where Services can be reached: options in, progress and verdict out.
 *
 *   node checker-process.ts '<CheckerOptions as JSON>'
 *
 * Writes a line of JSON five times a second: { answers, failed, violations }; the last one is { verdict, failures }. Stops
 * when its standard input ends, whoever ended it.
 *
 * Must not know Kubernetes.
 */

import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { SessionChecker } from '../../support/session-checker.ts';
import type { CheckerOptions } from '../../support/session-checker.ts';

const reportEveryMs = 200;
/** At a Service that nobody answers for; then the users ask all the same. */
const attemptsMax = 300;
/** What a reader can make sense of. */
const failuresMax = 200;

const options = JSON.parse(process.argv[2] ?? '') as CheckerOptions;
const checker = new SessionChecker(options);
for (const origin of options.origins) await reached(origin);
checker.start();
const reporting = setInterval(() => {
  say({ answers: checker.answers, failed: checker.failed.length, violations: checker.violations.length });
}, reportEveryMs);

process.stdin.resume();
await new Promise((resolve) => process.stdin.once('end', resolve).once('error', resolve));
clearInterval(reporting);
const verdict = await checker.stop();
say({ verdict, failures: checker.failed.slice(0, failuresMax).map(({ words }) => words) });

/** A Service leads to a pod that is Ready only a moment later, which would be the users' first failures. */
async function reached(origin: string): Promise<void> {
  const { hostname, port } = new URL(origin);
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const socket = connect(port === '' ? 80 : Number(port), hostname);
    const isReached = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isReached) return;
    await delay(reportEveryMs);
  }
}

function say(report: object): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
