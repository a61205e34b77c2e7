/**
 * A session's file name, both ways, and what each framework's file handler does with the file.
 *
 * A session id becomes a file name only through its preset's exact pattern, and a file in the directory is a
 * session only if its whole name matches; so neither a cookie nor a blob from the store can name another file,
 * and strangers in the directory (.gitignore, temporary files) are never touched.
 *
 * Must not know directories' contents, locks or the store. Pure.
 */

import { hash } from 'node:crypto';

import type { Preset, SessionId } from '../affinity/session-codec.ts';
import type { SessionIdShape } from '../affinity/session-id/decoder.ts';
import { djangoShape } from '../affinity/session-id/django.ts';
import { expressShape } from '../affinity/session-id/express.ts';
import { flaskShape } from '../affinity/session-id/flask.ts';
import { jsessionidShape } from '../affinity/session-id/jsessionid.ts';
import { laravelShape } from '../affinity/session-id/laravel.ts';
import { codeigniterShape, phpShape, plainShape, symfonyShape } from '../affinity/session-id/plain.ts';
import { defaultCookie } from '../affinity/session-id/presets.ts';
import type { NameHash } from './cachelib-names.ts';

export interface FileRules {
  /** Zero bytes read under the lock after a complete answer are a session: the empty one (protocol rule 18). */
  readonly zeroBytesIsASession: boolean;
  /** The framework may write after its output has left: a complete answer does not tell that the file is written. */
  readonly savedAfterOutput: boolean;
  /**
   * What tells that the file is whole. 'lock': the framework holds flock(2) while it writes, in place. 'rename': it
   * writes a temporary file and renames it, so the file always is. 'no-writer': it has the file open for writing only
   * while it writes it, in place.
   */
  readonly guard: 'lock' | 'rename' | 'no-writer';
  /** Permission bits that the framework itself gives a new file. */
  readonly mode: number;
  /** The name is a hash of prefix and id, in hexadecimal (NamingOptions.hash): it leads to no id. */
  readonly hashed?: true;
  /** Our own directory in the session directory, by a name that the framework's clean-up passes over. */
  readonly privateName: string;
}

interface FileNaming extends FileRules {
  /** What may stand between prefix and suffix: the preset's exact id. */
  readonly shape: SessionIdShape;
  /** 'cookie': the name of the session's cookie, as it is configured. */
  readonly prefix: string | { readonly is: 'cookie' };
  readonly suffix: string;
}

/** Laravel's clean-up skips dot names, PHP's, Django's, Tomcat's and session-file-store's go by their files' names. */
const privateName = '.holdfast';

// mod_files.c: sess_<id>, 0600, the lock from session_start() to the end of the write.
const phpNaming: FileNaming = {
  shape: phpShape,
  prefix: 'sess_',
  suffix: '',
  zeroBytesIsASession: true,
  savedAfterOutput: true,
  guard: 'lock',
  mode: 0o600,
  privateName,
};

/** A temporary file and a rename, no lock; zero bytes are nothing. */
const renamedFile = {
  prefix: '',
  suffix: '',
  zeroBytesIsASession: false,
  savedAfterOutput: false,
  guard: 'rename',
  mode: 0o600,
  privateName,
} as const;

const namings: Readonly<Record<Preset, FileNaming>> = {
  laravel: {
    shape: laravelShape,
    prefix: '',
    suffix: '',
    zeroBytesIsASession: false,
    savedAfterOutput: false,
    guard: 'lock',
    mode: 0o644,
    privateName,
  },
  php: phpNaming,
  // Symfony's native storage is PHP's own files handler.
  symfony: { ...phpNaming, shape: symfonyShape },
  // FileHandler: cookieName + id, chmod 0600, the lock from read to close, which is a shutdown function: after what the
  // application has echoed. With matchIP it puts md5(address) between: such files are strangers here and are left alone.
  codeigniter: { ...phpNaming, shape: codeigniterShape, prefix: { is: 'cookie' } },
  // session-file-store: write-file-atomic.
  express: { ...renamedFile, shape: expressShape, suffix: '.json', mode: 0o644 },
  // backends/file.py: SESSION_COOKIE_NAME + key. create() reserves a name with zero bytes; its `_out_` files are no keys.
  django: { ...renamedFile, shape: djangoShape, prefix: { is: 'cookie' } },
  // cachelib's FileSystemCache: hash(SESSION_KEY_PREFIX + id). It counts, opens and prunes every name in its directory
  // but those that end like its own temporary files.
  flask: { ...renamedFile, shape: flaskShape, hashed: true, prefix: 'session:', privateName: '.holdfast.__wz_cache' },
  // FileStore: truncated and written in place, under a lock of its own process only; catalina.sh's umask is 0027.
  jsessionid: { ...renamedFile, guard: 'no-writer', shape: jsessionidShape, suffix: '.session', mode: 0o640 },
  // Unknown: read and written under a lock, whether the application takes it or not.
  plain: {
    shape: plainShape,
    prefix: '',
    suffix: '',
    zeroBytesIsASession: false,
    savedAfterOutput: false,
    guard: 'lock',
    mode: 0o600,
    privateName,
  },
};

/** How the preset's framework treats its files. */
export function fileRules(preset: Preset): FileRules {
  return namings[preset];
}

export interface NamingOptions {
  /** `session.cookie`, for frameworks that name their files after it; undefined: the preset's own. */
  readonly cookie?: string | undefined;
  /** For names that are hashes; undefined: as the newest cachelib does it. */
  readonly hash?: NameHash | undefined;
}

/**
 * The session's file name in its directory.
 * @returns undefined where the id is not exactly the preset's shape: then it must not reach the file system.
 */
export function fileNameOf(preset: Preset, session: SessionId, options: NamingOptions = {}): string | undefined {
  const naming = namings[preset];
  if (naming.shape(session) === undefined) return undefined;
  const text = prefixOf(preset, naming, options) + session;
  const name = (naming.hashed === true ? hash(options.hash ?? 'sha256', text, 'hex') : text) + naming.suffix;
  // A cookie's name may make it too long for any file system.
  return name.length <= fileNameLengthMax ? name : undefined;
}

/** The session that a file name belongs to; undefined: the file is no session, or its name is a digest (flask). */
export function sessionOf(preset: Preset, fileName: string, options: NamingOptions = {}): SessionId | undefined {
  const naming = namings[preset];
  if (naming.hashed === true) return undefined;
  const prefix = prefixOf(preset, naming, options);
  if (!fileName.startsWith(prefix) || !fileName.endsWith(naming.suffix)) return undefined;
  const id = fileName.slice(prefix.length, fileName.length - naming.suffix.length);
  return naming.shape(id);
}

/** NAME_MAX. */
const fileNameLengthMax = 255;

/** A cookie's name is a token (RFC 6265 section 4.1.1): no slash is in it. */
function prefixOf(preset: Preset, { prefix }: FileNaming, { cookie }: NamingOptions): string {
  return typeof prefix === 'string' ? prefix : (cookie ?? defaultCookie(preset) ?? '');
}

/** PHP's session.save_path for the files handler, read. */
export interface SavePath {
  readonly directory: string;
  /** Directory levels between it and the file, each named by one character of the id. */
  readonly depth: number;
  readonly mode: number | undefined;
}

/**
 * Reads `[N;[MODE;]]/path`, PHP's own way to name a directory with N levels. Everything else is a plain path.
 * More than 4 levels (65,536 or more directories at the deepest, with hexadecimal ids) are nobody's; they stay
 * part of the path, which then does not exist.
 */
export function parseSavePath(text: string): SavePath {
  const match = /^([0-4]);(?:([0-7]{3,4});)?(.+)$/s.exec(text);
  if (match?.[3] === undefined) return { directory: text, depth: 0, mode: undefined };
  return {
    directory: match[3],
    depth: Number(match[1]),
    mode: match[2] === undefined ? undefined : Number.parseInt(match[2], 8) & 0o777,
  };
}
