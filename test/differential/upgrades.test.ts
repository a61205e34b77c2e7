/**
 * Upgrades, and what seem to be some, through a real gateway, alone and before a sidecar: where the request offers and the
 * answer takes it up, both ends get each other's bytes and no others; everywhere else nothing but requests and answers pass.
 */

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runUpgrades, upgradeCases } from './upgrades.ts';

describe('a tunnel is what both ends agreed on, and nothing else is one', { concurrency: 2 }, () => {
  for (const chain of [false, true]) {
    test(chain ? 'behind a gateway and a sidecar' : 'behind a gateway', async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'holdfast-differential-'));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      chmodSync(folder, 0o755);
      const { badPassed, goodRefused, ...counts } = await runUpgrades(upgradeCases(chain ? 1 : 0), { folder, chain });
      t.diagnostic(
        `${counts.cases} requests: ${counts.tunnels} tunnels, ${counts.answers} answers, ${counts.refused} refused; ${badPassed.length} bad passed, ${goodRefused.length} good refused`,
      );
      assert.deepEqual(badPassed, []);
      assert.deepEqual(goodRefused, []);
      assert(counts.tunnels > 40 && counts.answers > 40 && counts.refused > 100, 'hardly anything was tried');
    });
  }
});
