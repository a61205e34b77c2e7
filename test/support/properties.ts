/**
 * fast-check with the same inputs in every run: a build must not fail by what chance finds in it, since nobody would know whether
 * it was that build. HOLDFAST_SEED=n takes others.
 */

import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['HOLDFAST_SEED'] ?? 1) });

export { fc };
