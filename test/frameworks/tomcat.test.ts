/**
 * Tomcat with PersistentValve and FileStore, as Debian has it; the example is a JSP, which Tomcat compiles itself.
 */

import { join } from 'node:path';
import type { Application } from '../support/applications.ts';
import { repositoryRoot, requireFile } from '../support/processes.ts';
import { frameworkCase } from './framework-case.ts';

const home = '/usr/share/tomcat10';
/** The jit's first tier and one collector thread: a replica that lives for seconds starts in half the time. */
const flags = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx64m'];

const tomcat: Application = {
  preset: 'jsessionid',
  secretNames: [],
  traits: { cookie: 'JSESSIONID', locks: true, regenerateDeletes: true },
  sessions: (storage) => join(storage, 'sessions'),
  command({ port, storage }) {
    requireFile('/usr/bin/java', 'openjdk-17-jre-headless');
    requireFile(`${home}/bin/bootstrap.jar`, 'tomcat10-common');
    const properties = {
      'catalina.home': home,
      'catalina.base': join(repositoryRoot, 'examples/tomcat'),
      'java.io.tmpdir': '/tmp',
      port: String(port),
      sessions: join(storage, 'sessions'),
      work: join(storage, 'work'),
    };
    const settings = Object.entries(properties).map(([name, value]) => `-D${name}=${value}`);
    const classes = ['bootstrap.jar', 'tomcat-juli.jar'].map((jar) => join(home, 'bin', jar)).join(':');
    const main = 'org.apache.catalina.startup.Bootstrap';
    return { command: ['/usr/bin/java', ...flags, ...settings, '-cp', classes, main, 'start'], env: {} };
  },
};

frameworkCase('Tomcat with PersistentValve and FileStore', { application: () => tomcat });
