/**
 * What each framework's preset brings along: its session cookie's name, its sessions' usual lifetime, and how
 * much of it this version has. How an id is decoded is affinity/'s business, what a file is called sessions/'.
 */

import type { Preset } from '../affinity/session-codec.ts';

export interface PresetDefaults {
  /** Undefined: must be configured, or is found by decoding (laravel, whose name follows the application's). */
  readonly cookie: string | undefined;
  /** The framework signs or encrypts its session cookie; without its key no id can be read. */
  readonly needsKeys: boolean;
  readonly lifetime: string;
  /** 'sessions': affinity and the keeper; 'affinity': without the keeper; 'no': not in this version. */
  readonly available: 'sessions' | 'affinity' | 'no';
}

export const presetDefaults: Readonly<Record<Preset, PresetDefaults>> = {
  laravel: { cookie: undefined, needsKeys: true, lifetime: '2h', available: 'sessions' },
  php: { cookie: 'PHPSESSID', needsKeys: false, lifetime: '2h', available: 'sessions' },
  express: { cookie: 'connect.sid', needsKeys: true, lifetime: '2h', available: 'sessions' },
  plain: { cookie: undefined, needsKeys: false, lifetime: '2h', available: 'sessions' },
  symfony: { cookie: 'PHPSESSID', needsKeys: false, lifetime: '2h', available: 'sessions' },
  codeigniter: { cookie: 'ci_session', needsKeys: false, lifetime: '2h', available: 'sessions' },
  django: { cookie: 'sessionid', needsKeys: false, lifetime: '14d', available: 'affinity' },
  flask: { cookie: 'session', needsKeys: false, lifetime: '31d', available: 'affinity' },
  jsessionid: { cookie: 'JSESSIONID', needsKeys: false, lifetime: '2h', available: 'no' },
};
