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

import { SessionChecker } from '../../support/session-checker.ts';
import type { CheckerOptions } from '../../support/session-checker.ts';

const reportEveryMs = 200;
/** What a reader can make sense of. */
const failuresMax = 200;

const checker = new SessionChecker(JSON.parse(process.argv[2] ?? '') as CheckerOptions);
checker.start();
const reporting = setInterval(() => {
  say({ answers: checker.answers, failed: checker.failed.length, violations: checker.violations.length });
}, reportEveryMs);

process.stdin.resume();
await new Promise((resolve) => process.stdin.once('end', resolve).once('error', resolve));
clearInterval(reporting);
const verdict = await checker.stop();
say({ verdict, failures: checker.failed.slice(0, failuresMax).map(({ words }) => words) });

function say(report: object): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
