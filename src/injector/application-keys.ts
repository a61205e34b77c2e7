/**
 * How the sidecar comes to the application's own keys, with which presets read the session id out of a cookie: from
 * Secrets that an annotation names, as files, which a rotation reaches; or as the application's container has them, word
 * for word, so that both always have the same one. Pure; sees no key's value but those that stand in the pod.
 */

import type { Preset } from '../affinity/session-codec.ts';
import type { Container, EnvironmentVariable } from './pod.ts';
import { Skip } from './skip-reasons.ts';

export interface SecretFile {
  readonly secret: string;
  readonly entry: string;
  /** Below the folder of secrets in the sidecar. */
  readonly path: string;
}

export interface ApplicationKeys {
  readonly files: readonly SecretFile[];
  readonly variables: readonly EnvironmentVariable[];
  /** What `session.keys` becomes: references, never a key. */
  readonly references: readonly string[];
}

/** The variable in which each framework usually has its key. Those of `needed` read no session without one. */
export const keyVariables: Readonly<Partial<Record<Preset, string>>> = {
  laravel: 'APP_KEY',
  express: 'SESSION_SECRET',
  flask: 'SECRET_KEY',
};
export const needed: readonly Preset[] = ['laravel', 'express'];

/**
 * @param folder where the sidecar has the files.
 * @throws Skip 'keys-unknown'
 */
export function findKeys(
  preset: Preset,
  writer: Container,
  { named, folder }: { readonly named: string | undefined; readonly folder: string },
): ApplicationKeys {
  if (named !== undefined) {
    const files = named.split(',').map((text, index) => {
      const [secret = '', entry = ''] = text.trim().split('/');
      return { secret, entry, path: `application-key-${index}` };
    });
    return { files, variables: [], references: files.map(({ path }) => `file:${folder}/${path}`) };
  }
  const name = keyVariables[preset];
  const variable = name === undefined ? undefined : writer.env?.find((given) => given.name === name);
  if (variable !== undefined && isShareable(variable)) {
    return { files: [], variables: [variable], references: [`env:${variable.name}`] };
  }
  if (needed.includes(preset)) {
    const where = variable === undefined ? `has no ${name ?? ''} of its own` : `has a ${variable.name} made of others`;
    throw new Skip('keys-unknown', `container ${writer.name} ${where}; annotate keys: SECRET/${name ?? 'KEY'}`);
  }
  return { files: [], variables: [], references: [] };
}

/** Means the same in another container of the pod. */
function isShareable({ value, valueFrom }: EnvironmentVariable): boolean {
  if (valueFrom !== undefined && valueFrom !== null) {
    return Object.keys(valueFrom).every((kind) => kind === 'secretKeyRef' || kind === 'configMapKeyRef');
  }
  return typeof value === 'string' && value !== '' && !value.includes('$(');
}
