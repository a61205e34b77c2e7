/**
 * The ownership protocol, explored: no state of any configuration breaks what it promises; and the model finds, for every
 * rule that it can do without, the trace of what goes wrong.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { configurations, run } from './configurations.ts';
import { mutations } from './mutations.ts';

/** `make model` explores them with all their requests. */
const requestsMax = 2;

describe('with all rules nothing goes wrong', () => {
  for (const configuration of configurations) {
    if (!configuration.short) continue;
    test(`in any state of: ${configuration.name}`, () => {
      const { requests } = configuration;
      const { states, violation, trace } = run({ ...configuration, requests: requests.slice(0, requestsMax) });
      assert.equal(violation, undefined, `${violation}\n${trace.join('\n')}`);
      assert.ok(states > 100, `${states} states are not much of a system`);
    });
  }
});

describe('without a rule the model finds what goes wrong', () => {
  for (const { rule, without, changed, configuration, finds } of mutations) {
    test(`rule ${rule}: ${without}`, () => {
      const whole = { ...configuration, name: without, short: true };
      const { violation, trace } = run(whole, changed);
      assert.ok(violation?.startsWith(finds) === true, `${violation}\n${trace.join('\n')}`);
      assert.ok(trace.length > 3, 'it is told step by step');
    });
  }
});

test('docs/model.md names each rule that is switched off here', () => {
  const page = readFileSync(new URL('../../docs/model.md', import.meta.url), 'utf8');
  for (const { rule, without } of mutations)
    assert.ok(page.includes(`| ${rule} | ${without} |`), `rule ${rule}: ${without}`);
});
