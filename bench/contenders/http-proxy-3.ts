/** http-proxy-3 as its own documentation uses it: node:http on both sides, with keep-alive to the backends. */

import { join } from 'node:path';
import { nodeProgram } from '../../test/support/processes.ts';
import type { Contender } from '../contender.ts';

export function httpProxy3(cookie: string): Contender {
  return {
    name: 'http-proxy-3',
    how: 'hash of the cookie, by hand',
    start({ processes, port, backends, pinned }) {
      const program = join(import.meta.dirname, 'http-proxy-3-server.ts');
      const args = [String(port), cookie, ...backends.map((backend) => String(backend.port))];
      return Promise.resolve(processes.start('http-proxy-3', pinned([nodeProgram, program, ...args])));
    },
  };
}
