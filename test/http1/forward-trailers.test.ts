import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { forwardTrailers } from '../../src/http1/forward-trailers.ts';

describe('forwarded trailers', () => {
  test('keep their lines as they came', () => {
    for (const section of ['\r\n', 'X-Sum: 1\r\n\r\n', 'X-Sum:1\r\ngrpc-status:  0 \r\nX-Empty:\r\n\r\n']) {
      assert.equal(forwardTrailers(section), section);
    }
  });

  test('have no field that a request head is cleaned of, or that belongs to its framing', () => {
    const names = [
      'Cookie',
      'cOOKIE',
      'X-Forwarded-For',
      'X-Real-IP',
      'Forwarded',
      'X-Original-URL',
      'X-Holdfast-From',
      'X_Sum',
      'X.Sum',
      'Proxy',
      'Host',
      'Content-Length',
      'Transfer-Encoding',
      'Connection',
      'Authorization',
      'X-Request-ID',
    ];
    const lines = names.map((name) => `${name}: 1\r\n`).join('');
    assert.equal(forwardTrailers(`A: Cookie: 1\r\n${lines}B: 2\r\n\r\n`), 'A: Cookie: 1\r\nB: 2\r\n\r\n');
  });
});
