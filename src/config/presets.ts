/**
 * What each framework's preset brings along: its session cookie's name and its sessions' usual lifetime. How an id is
 * decoded is affinity/'s business, what a file is called sessions/'.
 */

import type { Preset } from '../affinity/session-codec.ts';

export interface PresetDefaults {
  /** Undefined: must be configured, or is found by decoding (laravel, whose name follows the application's). */
  readonly cookie: string | undefined;
  /** The framework signs or encrypts its session cookie; without its key no id can be read. */
  readonly needsKeys: boolean;
  readonly lifetime: string;
}

export const presetDefaults: Readonly<Record<Preset, PresetDefaults>> = {
  laravel: { cookie: undefined, needsKeys: true, lifetime: '2h' },
  php: { cookie: 'PHPSESSID', needsKeys: false, lifetime: '2h' },
  express: { cookie: 'connect.sid', needsKeys: true, lifetime: '2h' },
  plain: { cookie: undefined, needsKeys: false, lifetime: '2h' },
  symfony: { cookie: 'PHPSESSID', needsKeys: false, lifetime: '2h' },
  codeigniter: { cookie: 'ci_session', needsKeys: false, lifetime: '2h' },
  django: { cookie: 'sessionid', needsKeys: false, lifetime: '14d' },
  flask: { cookie: 'session', needsKeys: false, lifetime: '31d' },
  jsessionid: { cookie: 'JSESSIONID', needsKeys: false, lifetime: '2h' },
};
