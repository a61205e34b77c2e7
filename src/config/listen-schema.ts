/**
 * What an entry of `listen` may hold beside its address. A schema of its own, because entries stand in a list: they have no
 * place among the keys with names in the environment (keys.ts).
 *
 * Must not know what follows from it (settle-listen.ts).
 */

import { z } from 'zod';
import { choice, flag, secret, text } from './values.ts';

const pem = (what: string) => text(/^(?:-----BEGIN |file:.)/, `${what} in PEM, or file:PATH to one`);
const certificate = pem('a certificate').meta({ kind: 'file:PATH' });
const key = pem('a key').meta({ kind: 'file:PATH', secret: true });

const tls = z.strictObject({
  certificate: certificate.optional().describe('The certificate and its chain.'),
  key: key.optional().describe("The certificate's key, not encrypted."),
  certificates: z
    .array(z.strictObject({ certificate, key }), { error: 'is not a list of { certificate, key }' })
    .min(1, { error: 'is empty' })
    .max(1000, { error: 'has more than 1000 entries' })
    .meta({ kind: 'list of { certificate, key }' })
    .optional()
    .describe(
      'Instead of the two: several, chosen by the name that the client asks for. Their names are in them; the first serves all others.',
    ),
  minVersion: z
    .union([z.literal([1.2, 1.3]), z.literal(['1.2', '1.3'])], { error: 'is neither 1.2 nor 1.3' })
    .transform((version) => (String(version) === '1.3' ? '1.3' : '1.2'))
    .meta({ kind: '1.2 \\| 1.3' })
    .prefault(1.2)
    .describe('Older clients are refused.'),
  clientCertificate: choice(['off', 'optional', 'required'])
    .optional()
    .describe(
      'Whether clients have to show a certificate of `clientCa`. By default required where that is given. Who they are is not passed on.',
    ),
  clientCa: pem('a certificate').meta({ kind: 'file:PATH' }).optional().describe('Who signs client certificates.'),
  ticketKey: secret()
    .optional()
    .describe(
      "Lets the processes that share it resume each other's sessions. By default each has its own, shared by its workers. The keys that follow from it change every 12 hours.",
    ),
});

export const listenEntry = z.strictObject({
  address: z.string({ error: 'is not host:port' }).meta({ kind: 'host:port' }).describe('Where clients connect.'),
  proxyProtocol: flag()
    .prefault(false)
    .describe(
      'Each connection begins with a PROXY header, version 1 or 2, which names the client. Only from `trustedProxies`; every other connection is closed.',
    ),
  tls: tls.optional().describe('Connections are TLS.'),
});

export type TlsKeys = z.output<typeof tls>;
