/**
 * PHP as it is served in production: php-fpm behind nginx, and Apache with PHP's own module. Each with a configuration
 * of its own in the replica's folder; nothing of the system's is used, neither services nor /etc.
 *
 * As root the server's workers are another user, as its packages set it up, and the sidecar is not: so it has to give
 * the files that it writes to the application's user, or PHP refuses them.
 *
 * Must not know Holdfast.
 */

import { chmodSync, chownSync, cpSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Application, Replica } from '../support/applications.ts';
import { findProgram, requireFile } from '../support/processes.ts';

/** The user of Debian's web servers, where we may become it. */
const webUser = process.getuid?.() === 0 ? { name: 'www-data', uid: 33, gid: 33 } : undefined;

export interface PhpSite {
  /** Its folder, with an index.php that answers every path. Copied: the web user need not reach the repository. */
  readonly site: string;
  readonly application: Pick<Application, 'preset' | 'secretNames' | 'traits'>;
  /** php.ini of this site, beside session.save_path. */
  readonly ini?: Readonly<Record<string, string>>;
}

interface Place extends Replica {
  readonly sessions: string;
  readonly root: string;
  readonly run: string;
}

/** PHP's built-in server. */
export function underBuiltInServer(given: PhpSite): Application {
  return {
    ...given.application,
    sessions: sessionsOf,
    command: ({ port, storage }) => ({
      command: [
        'php',
        ...Object.entries(iniOf(given, sessionsOf(storage))).flatMap(([key, value]) => ['-d', `${key}=${value}`]),
        '-S',
        `127.0.0.1:${port}`,
        join(given.site, 'index.php'),
      ],
      env: {},
    }),
  };
}

/**
 * nginx and php-fpm, over a socket, both in the foreground. php-fpm is the leader of the process group: else it would
 * begin one of its own, and its workers would outlive a kill.
 */
export function underFpm(given: PhpSite): Application {
  return {
    ...given.application,
    sessions: sessionsOf,
    command(replica) {
      const [nginx, fpm] = [findProgram('nginx'), findFpm()];
      const place = prepare(replica, given);
      writeFileSync(join(place.run, 'fpm.conf'), fpmConfiguration(place, given));
      writeFileSync(join(place.run, 'nginx.conf'), nginxConfiguration(place));
      const server = `${nginx} -p ${place.run} -e ${place.run}/nginx.log -c ${place.run}/nginx.conf -g 'daemon off;'`;
      const php = `${fpm} ${webUser === undefined ? '' : '-R'} -F -y ${place.run}/fpm.conf`;
      return { command: ['/bin/sh', '-c', `setpriv --pdeathsig KILL -- ${server} & exec ${php}`], env: {} };
    },
  };
}

/** Apache, one process for each request, PHP inside it. */
export function underApache(given: PhpSite): Application {
  return {
    ...given.application,
    sessions: sessionsOf,
    command(replica) {
      const apache = findProgram('apache2');
      const place = prepare(replica, given);
      writeFileSync(join(place.run, 'apache.conf'), apacheConfiguration(place, given));
      return { command: [apache, '-D', 'FOREGROUND', '-f', join(place.run, 'apache.conf')], env: {} };
    },
  };
}

function sessionsOf(storage: string): string {
  return join(storage, 'sessions');
}

function iniOf({ ini }: PhpSite, sessions: string): Readonly<Record<string, string>> {
  return { 'session.save_path': sessions, ...ini };
}

/** The replica's folders, open to the web user as far as it needs them. */
function prepare(replica: Replica, { site }: PhpSite): Place {
  const { storage } = replica;
  const place = { ...replica, sessions: sessionsOf(storage), root: join(storage, 'site'), run: join(storage, 'run') };
  mkdirSync(place.run, { recursive: true });
  cpSync(site, place.root, { recursive: true });
  if (webUser !== undefined) {
    chmodSync(dirname(storage), 0o711);
    for (const folder of [place.sessions, place.run]) chownSync(folder, webUser.uid, webUser.gid);
  }
  return place;
}

/** Debian names it after its version. */
function findFpm(): string {
  const name = readdirSync('/usr/sbin').find((file) => /^php-fpm\d/.test(file));
  if (name === undefined) throw new Error('php-fpm is missing: apt-get install php-fpm');
  return `/usr/sbin/${name}`;
}

function fpmConfiguration(place: Place, given: PhpSite): string {
  const user =
    webUser === undefined ? '' : `user = ${webUser.name}\ngroup = ${webUser.name}\nlisten.owner = ${webUser.name}`;
  const values = Object.entries(iniOf(given, place.sessions)).map(
    ([key, value]) => `php_admin_value[${key}] = ${value}`,
  );
  return `
[global]
error_log = ${place.run}/fpm.log
[www]
${user}
listen = ${place.run}/fpm.sock
pm = static
pm.max_children = 8
catch_workers_output = yes
clear_env = no
${values.join('\n')}
`;
}

function nginxConfiguration({ run, root, port }: Place): string {
  return `
${webUser === undefined ? '' : `user ${webUser.name};`}
worker_processes 1;
pid ${run}/nginx.pid;
error_log ${run}/nginx.log;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path ${run}/body;
  fastcgi_temp_path ${run}/fastcgi;
  proxy_temp_path ${run}/proxy;
  scgi_temp_path ${run}/scgi;
  uwsgi_temp_path ${run}/uwsgi;
  server {
    listen 127.0.0.1:${port};
    root ${root};
    location / {
      fastcgi_pass unix:${run}/fpm.sock;
      fastcgi_param SCRIPT_FILENAME ${root}/index.php;
      fastcgi_param SCRIPT_NAME /index.php;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param REQUEST_URI $request_uri;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param SERVER_PROTOCOL $server_protocol;
      fastcgi_param SERVER_NAME $host;
      fastcgi_param SERVER_PORT $server_port;
      fastcgi_param REMOTE_ADDR $remote_addr;
    }
  }
}
`;
}

function apacheConfiguration(place: Place, given: PhpSite): string {
  const { run, root, port } = place;
  const user = webUser === undefined ? '' : `User ${webUser.name}\nGroup ${webUser.name}`;
  const values = Object.entries(iniOf(given, place.sessions)).map(
    ([key, value]) => `php_admin_value ${key} "${value}"`,
  );
  return `
ServerRoot ${run}
ServerName localhost:${port}
UseCanonicalName On
Listen 127.0.0.1:${port}
PidFile ${run}/apache.pid
DefaultRuntimeDir ${run}
ErrorLog ${run}/apache.log
LoadModule mpm_prefork_module ${modules}/mod_mpm_prefork.so
LoadModule authz_core_module ${modules}/mod_authz_core.so
LoadModule dir_module ${modules}/mod_dir.so
LoadModule php_module ${apachePhp()}
${user}
StartServers 2
MinSpareServers 1
MaxRequestWorkers 16
DocumentRoot ${root}
<Directory ${root}>
  Require all granted
  FallbackResource /index.php
</Directory>
<FilesMatch "\\.php$">
  SetHandler application/x-httpd-php
</FilesMatch>
${values.join('\n')}
`;
}

const modules = '/usr/lib/apache2/modules';

function apachePhp(): string {
  requireFile(modules, 'libapache2-mod-php');
  const name = readdirSync(modules).find((file) => /^libphp\d.*\.so$/.test(file));
  if (name === undefined || !statSync(join(modules, name)).isFile()) {
    throw new Error("Apache's PHP module is missing: apt-get install libapache2-mod-php");
  }
  return join(modules, name);
}
