// The story of a killed pod, told with a real application: make demo
// Exit 0 only if every sentence that it prints was seen to be true. `node examples/demo/demo.ts express` tells it
// with Express also where Laravel is installed.

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { Browser } from '../../test/support/cookie-jar.ts';
import { until } from '../../test/support/until.ts';
import { DevProcess } from './dev-process.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const hasLaravel = existsSync('/usr/bin/php') && existsSync('/usr/share/php/Illuminate/autoload.php');

class Untrue extends Error {}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function check(claim: string, holds: boolean, seen: string): void {
  if (!holds) throw new Untrue(`${claim}: NO, ${seen}`);
  say(`    ${claim}: ${seen}`);
}

function application(): { preset: string; words: string; command: string[]; environment: NodeJS.ProcessEnv } {
  const isExpressWanted = process.argv[2] === 'express';
  if (hasLaravel && !isExpressWanted) {
    return {
      preset: 'laravel',
      words: 'real Laravel with file sessions',
      command: ['php', '-S', '127.0.0.1:{port}', `${root}examples/laravel/server.php`],
      environment: { APP_KEY: `base64:${randomBytes(32).toString('base64')}` },
    };
  }
  if (!isExpressWanted) {
    say('PHP or Laravel is not here (Debian: php-cli php-laravel-framework), so Express plays its part.');
  }
  return {
    preset: 'express',
    words: 'Express with file sessions',
    command: [process.execPath, `${root}examples/express/app.js`],
    environment: { SESSION_SECRET: randomBytes(24).toString('base64') },
  };
}

async function tell(dev: DevProcess, browser: Browser): Promise<void> {
  const podOf = async (who: Browser): Promise<string> => dev.podAt(Number((await who.text('/who')).split(' ')[1]));

  say('\n 1. A browser counts, and stays at one pod');
  for (let number = 1; number <= 5; number++) await browser.number('/inc');
  const id = await browser.text('/id');
  const first = await podOf(browser);
  const sixth = await browser.number('/inc');
  check('the number after six clicks', sixth === 6, String(sixth));
  say(`    its pod: ${first}`);

  say(`\n 2. kill -9 of ${first}, in the middle of the visit`);
  await dev.kill(first);
  const startMs = performance.now();
  const seventh = await browser.number('/inc');
  const tookMs = Math.round(performance.now() - startMs);
  const second = await podOf(browser);
  check('the next number', seventh === 7, `${seventh}, after ${tookMs} ms`);
  check('the same session id', (await browser.text('/id')) === id, `${id.slice(0, 6)}...`);
  check('from another pod', second !== first, second);
  await browser.number('/inc');

  say(`\n 3. ${first} comes back, with its old file (number 6), and has to take the session again`);
  check('its old session file is still there', dev.hasSessionFile(first, id), 'yes');
  await dev.restartDead();
  for (const pod of dev.pods.filter((name) => name !== first)) await dev.kill(pod);
  const ninth = await browser.number('/inc');
  check('served by', (await podOf(browser)) === first, first);
  check('its old file does not win', ninth === 9, `the number is ${ninth}`);
  await dev.restartDead();

  say('\n 4. Login, logout, and a copy of the old cookie');
  const beforeLogin = new Browser(browser.origin, { jar: browser.jar.copy() });
  const tenth = await browser.number('/login');
  const newId = await browser.text('/id');
  check('login keeps the number and changes the id', tenth === 10 && newId !== id, `${tenth}, ${newId.slice(0, 6)}...`);
  const stolen = new Browser(browser.origin, { jar: browser.jar.copy() });
  await browser.text('/logout');
  await dev.kill(await podOf(browser));
  const afterLogout = await stolen.number('/get');
  const afterLogin = await beforeLogin.number('/get');
  check('the logged-out session stays away, although its pod was killed', afterLogout === 0, String(afterLogout));
  check('and so does the one from before the login', afterLogin === 0, String(afterLogin));
  await Promise.all([beforeLogin.close(), stolen.close()]);
}

async function main(): Promise<number> {
  const { preset, words, command, environment } = application();
  say(`Holdfast: three replicas of ${words}, each with its own session directory.`);
  const dev = new DevProcess({ root, preset, command, environment });
  let browser: Browser | undefined;
  try {
    const origin = await dev.ready();
    await until('all three replicas serve', () => dev.pods.length === 3, { deadlineMs: 20_000 });
    browser = new Browser(origin);
    await tell(dev, browser);
    say('\nNo session was lost.');
    return 0;
  } catch (error) {
    say(`\n${error instanceof Untrue ? error.message : `The demo broke off: ${String(error)}`}`);
    say(dev.output());
    return 1;
  } finally {
    await browser?.close();
    await dev.stop();
  }
}

process.exitCode = await main();
