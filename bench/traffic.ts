/**
 * The two kinds of traffic: an application that sets its session cookie once and leaves it (plain PHP), and one that
 * sends a newly encrypted cookie with every answer (Laravel). nginx plays the three backends, so that they cost
 * little; it answers 1 KB and says which backend it was.
 *
 * Must not know who stands in front.
 */

import { createCipheriv, createHmac, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Processes } from '../test/support/processes.ts';
import type { Backend, Command } from './contender.ts';

export interface Traffic {
  readonly name: string;
  /** What a contender's name has more under it. */
  readonly suffix: string;
  /** How many backends there are. */
  readonly pods: number;
  /** Whether each visitor brings its number (`visitorCookie`), so that no two get one session. */
  readonly numbered: boolean;
  /** The application's session cookie, and how Holdfast is told of it. */
  readonly cookie: string;
  readonly session: { readonly preset: string; readonly keys: readonly string[] };
  /** nginx directives of the http block and of each server's location. */
  readonly http: string;
  readonly location: string;
}

export const bodyBytes = 1024;

const laravelKey = randomBytes(32);
/** Binds the values to the cookie's name. */
const laravelPrefix = createHmac('sha1', laravelKey).update('laravel_sessionv2').digest('hex');
/** More than there are visitors: two of one session, pinned to two backends, would be no sessions at all. */
const laravelSessions = 128;
/** New cookie texts of each session, as three hexadecimal digits below 200: with all sessions 65,536, so that a cache of
 * decoded cookies helps as little as with real browsers. */
const laravelTexts = 512;

export const traffics = {
  plain: (pods = 3): Traffic => ({
    name: `plain-${pods}`,
    suffix: '',
    pods,
    numbered: false,
    cookie: 'PHPSESSID',
    session: { preset: 'php', keys: [] },
    http: `map $cookie_phpsessid $set_session { "" "PHPSESSID=$request_id; path=/; HttpOnly"; default ""; }`,
    location: 'add_header Set-Cookie $set_session;',
  }),
  laravel: (): Traffic => ({
    name: 'laravel',
    suffix: 'Laravel',
    pods: 3,
    numbered: true,
    cookie: 'laravel_session',
    session: { preset: 'laravel', keys: [`base64:${laravelKey.toString('base64')}`] },
    http: laravelMaps(),
    location: `add_header Set-Cookie "visitor=$visitor; path=/";
      add_header Set-Cookie "laravel_session=$laravel_text; Max-Age=7200; path=/; httponly; samesite=lax";`,
  }),
};

/** Backends in one nginx process; the ports are in the order of the names b1, b2, b3... */
export async function startBackends(
  traffic: Traffic,
  place: {
    readonly processes: Processes;
    readonly folder: string;
    readonly ports: readonly number[];
    readonly pinned: (command: Command) => Command;
  },
): Promise<readonly Backend[]> {
  const { folder } = place;
  const file = join(folder, `backends-${traffic.name}.conf`);
  const body = 'Holdfast! '.repeat(103).slice(0, bodyBytes);
  // Each loopback address has all ports: so a thousand backends need no thousand of the first one's.
  const backends = Array.from({ length: traffic.pods }, (_, index) => ({
    name: `b${index + 1}`,
    host: `127.0.0.${1 + Math.floor(index / place.ports.length)}`,
    port: place.ports[index % place.ports.length]!,
  }));
  const servers = backends.map(
    ({ name, host, port }) => `server {
    listen ${host}:${port};
    location / {
      add_header X-Backend ${name};
      add_header Cache-Control "no-store, no-cache, must-revalidate";
      ${traffic.location}
      default_type text/plain;
      return 200 "${body}";
    }
    location /bodies/ {
      add_header X-Backend ${name};
      alias ${folder}/bodies/;
    }
    location /slow/ {
      limit_rate 2k;
      alias ${folder}/bodies/;
    }
  }`,
  );
  await writeFile(
    file,
    `daemon off; master_process off; pid ${folder}/backends-${traffic.name}.pid; error_log stderr warn; worker_rlimit_nofile 20000;
events { worker_connections 16000; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 1h; sendfile on;
  map_hash_max_size 262144; map_hash_bucket_size 1024;
  client_body_temp_path ${folder}/b1; proxy_temp_path ${folder}/b2; fastcgi_temp_path ${folder}/b3;
  uwsgi_temp_path ${folder}/b4; scgi_temp_path ${folder}/b5;
  ${traffic.http}
  ${servers.join('\n  ')}
}
`,
  );
  const nginx = place.processes.start(
    `backends (${traffic.name})`,
    place.pinned(['nginx', '-c', file, '-e', 'stderr']),
  );
  for (const { host, port } of [backends[0]!, backends.at(-1)!]) {
    await nginx.ready('answers', async () => (await fetch(`http://${host}:${port}/`)).ok, { deadlineMs: 30_000 });
  }
  return backends;
}

/** The cookie by which the Laravel traffic tells visitors apart; the plain one does not look at it. */
export function visitorCookie(visitor: number): string {
  return `visitor=${(visitor % laravelSessions).toString(16).padStart(2, '0')}`;
}

/** A visitor keeps its session by a second cookie, so that nginx can answer with another text for the same session. */
function laravelMaps(): string {
  const lines: string[] = [];
  const visitors: string[] = [];
  for (let visitor = 0; visitor < laravelSessions; visitor++) {
    const id = randomBytes(30).toString('hex').slice(0, 40);
    const name = visitor.toString(16).padStart(2, '0');
    visitors.push(visitor === laravelSessions - 1 ? `* ${name};` : `${(100 / laravelSessions).toFixed(2)}% ${name};`);
    for (let text = 0; text < laravelTexts; text++) {
      lines.push(`${name}${text.toString(16).padStart(3, '0')} "${laravelCookie(id)}";`);
    }
  }
  return `split_clients $request_id $new_visitor { ${visitors.join(' ')} }
  map $cookie_visitor $visitor { "" $new_visitor; default $cookie_visitor; }
  map $request_id $text_number {
    "~^[02468ace](?<text0>..)" 0$text0; "~^[13579bdf](?<text1>..)" 1$text1;
  }
  map "$visitor$text_number" $laravel_text {\n${lines.join('\n')}\n}`;
}

/** A new text for a session, as Laravel's Encrypter makes it: AES-256-CBC, HMAC-SHA256 over iv and value, in base64 of JSON. */
export function laravelCookie(session: string): string {
  const plain = `${laravelPrefix}|${session}`;
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', laravelKey, iv);
  const value = Buffer.concat([cipher.update(plain), cipher.final()]).toString('base64');
  const ivText = iv.toString('base64');
  const mac = createHmac('sha256', laravelKey)
    .update(ivText + value)
    .digest('hex');
  return encodeURIComponent(Buffer.from(JSON.stringify({ iv: ivText, value, mac, tag: '' })).toString('base64'));
}
