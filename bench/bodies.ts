/** The bodies that backends answer with, as files. */

import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';

/** Those that are asked for many times. */
export const bodies = [
  { name: '0', bytes: 0 },
  { name: '1k', bytes: 1024 },
  { name: '100k', bytes: 100 * 1024 },
];
/** Asked for once a round. */
export const large = { name: '1g', bytes: 2 ** 30 };
/** Backends send it slowly. */
const slow = { name: '64k', bytes: 64 * 1024 };

/** Under `folder`/bodies; they have no blocks on the disk. */
export async function writeBodies(folder: string): Promise<void> {
  const directory = join(folder, 'bodies');
  await mkdir(directory);
  for (const { name, bytes } of [...bodies, large, slow]) {
    const file = await open(join(directory, name), 'w');
    await file.truncate(bytes);
    await file.close();
  }
}
