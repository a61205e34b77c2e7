/**
 * Certificates for tests, made by openssl: an authority, and what it signs for a name, in files.
 */

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from './processes.ts';

const run = promisify(execFile);

/** A certificate and its key, as PEM and as files. */
export interface Certified {
  readonly certificate: string;
  readonly key: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

export class Authority {
  /** PEM. */
  readonly certificate: string;
  readonly certificateFile: string;
  readonly #directory: string;
  #issued = 0;

  private constructor(directory: string, certificate: string) {
    this.#directory = directory;
    this.certificate = certificate;
    this.certificateFile = join(directory, 'ca.crt');
  }

  static async create(name: string): Promise<Authority> {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-certificates-'));
    const files = ['-keyout', join(directory, 'ca.key'), '-out', join(directory, 'ca.crt')];
    await openssl(['req', '-x509', ...newKey, '-days', '2', '-subj', `/CN=${name}`, ...files]);
    return new Authority(directory, await readFile(join(directory, 'ca.crt'), 'utf8'));
  }

  /** @param days until its end; negative: it has expired. */
  async issue(dns: string, days = 1): Promise<Certified> {
    const at = join(this.#directory, String(++this.#issued));
    const [request, extensions] = [`${at}.csr`, `${at}.ext`];
    const files = { certificateFile: `${at}.crt`, keyFile: `${at}.key` };
    await openssl(['req', ...newKey, '-subj', `/CN=${dns}`, '-keyout', files.keyFile, '-out', request]);
    await writeFile(extensions, `subjectAltName=DNS:${dns}\n`);
    const signer = [
      '-CA',
      this.certificateFile,
      '-CAkey',
      join(this.#directory, 'ca.key'),
      '-set_serial',
      String(Date.now()),
    ];
    const named = ['-in', request, '-out', files.certificateFile, '-extfile', extensions, '-days', String(days)];
    await openssl(['x509', '-req', ...signer, ...named]);
    const [certificate, key] = await Promise.all([
      readFile(files.certificateFile, 'utf8'),
      readFile(files.keyFile, 'utf8'),
    ]);
    return { certificate, key, ...files };
  }

  async remove(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

async function openssl(args: readonly string[]): Promise<void> {
  await run(findProgram('openssl'), args);
}
