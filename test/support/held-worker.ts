/**
 * Loaded before a program by `--import`: a worker comes no further until there is a file, so that a test can do what it
 * wants while one is just starting.
 */

import { existsSync } from 'node:fs';

const file = process.env['HOLDS_WORKERS_UNTIL'] ?? '';
const pause = new Int32Array(new SharedArrayBuffer(4));
// Nothing else may happen meanwhile, as with a program that is still being loaded.
while (process.argv.includes('worker') && !existsSync(file)) Atomics.wait(pause, 0, 0, 10);
