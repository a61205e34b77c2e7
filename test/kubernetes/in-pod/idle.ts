/** Keeps a pod alive in which tests run other programs; ends at SIGTERM. */

setInterval(() => undefined, 60_000);
process.once('SIGTERM', () => process.exit(0));
