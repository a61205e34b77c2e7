/**
 * `holdfast drain --socket`: as drain.ts, without a configuration. A preStop hook is called when the pod begins to end, in a
 * container that may get a twentieth of a core: reading and checking a configuration takes it half a second of processor time,
 * this a tenth of that, and until the process knows, clients go on using their connections to it.
 *
 * Must not import what takes long to load: the configuration, undici.
 */

import { request } from 'node:http';

/** The process answers when it is drained, within its own `timeouts.drain`. This is for one that hangs. */
const answerMs = 600_000;
const answerBytesMax = 65_536;

/** Exit code 0: drained. 2: nobody there, or it did not work. */
export async function drainAt(socketPath: string, options: { readonly unready: boolean }): Promise<number> {
  const problem = await ask(socketPath, JSON.stringify(options));
  if (problem === undefined) {
    process.stdout.write('drained\n');
    return 0;
  }
  process.stderr.write(`holdfast drain: ${problem}\n`);
  return 2;
}

/** @returns what is wrong, in words. Never rejects. */
function ask(socketPath: string, body: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asking = request({
      socketPath,
      method: 'POST',
      path: '/drain',
      headers: { host: 'localhost', 'content-type': 'application/json' },
      timeout: answerMs,
    });
    asking.once('timeout', () => asking.destroy(new Error('no answer')));
    asking.once('error', (error) => resolve(`no process answered at ${socketPath} (${error.message})`));
    asking.once('response', (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        if (text.length < answerBytesMax) text += part;
      });
      answer.once('error', (error) => resolve(error.message));
      answer.once('end', () => resolve(answer.statusCode === 200 ? undefined : `${answer.statusCode ?? 0}: ${text}`));
    });
    asking.end(body);
  });
}
