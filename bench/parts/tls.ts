/**
 * The same requests with TLS on the client's side: on connections that are kept, and with a handshake for each. The
 * certificate is made for the run (EC, P-256), and this process trusts it.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import type { Contender, TlsFiles } from '../contender.ts';
import { run } from '../contenders/install.ts';
import type { Tls } from '../results.ts';
import { interleave } from '../rounds.ts';
import type { Stage } from '../stage.ts';
import { traffics } from '../traffic.ts';
import { introduceAble } from './introduce-able.ts';
import { measureProcessorTime, warmUp } from './processor-time.ts';

export async function measureTls(
  contenders: readonly Contender[],
  options: { readonly stage: Stage; readonly rounds: number; readonly seconds: number },
): Promise<Tls> {
  const { stage, rounds, seconds } = options;
  const tls = await makeCertificate(stage.folder);
  const able = contenders.filter((contender) => contender.tls === true);
  const { running, absent } = await introduceAble(able, { stage, traffic: traffics.plain(), special: { tls } });
  for (const one of running) await warmUp(one, stage);
  const kept = await interleave(running, rounds, (one) => measureProcessorTime(one, { stage, seconds }));
  const close = { stage, seconds, close: true };
  const handshakes = await interleave(running, rounds, (one) => measureProcessorTime(one, close));
  for (const one of running) await one.stop();
  return { kept, handshakes, absent };
}

async function makeCertificate(folder: string): Promise<TlsFiles> {
  const [certificate, key, both] = ['tls.crt', 'tls.key', 'tls.pem'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  run('openssl', ['req', '-x509', ...curve, '-days', '2', ...names, '-keyout', key, '-out', certificate]);
  const text = await readFile(certificate, 'utf8');
  await writeFile(both, text + (await readFile(key, 'utf8')));
  setDefaultCACertificates([...getCACertificates('default'), text]);
  return { certificate, key, both };
}
