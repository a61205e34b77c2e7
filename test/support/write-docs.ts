/** Writes what comes from tables or from other files: pages under docs/, and the Helm chart. `make docs`. */

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errorsPage } from '../../src/base/errors-page.ts';
import { configurationPage } from '../../src/config/reference.ts';
import { chartFiles, chartFolder } from '../manifests/chart.ts';
import { injectorPage } from '../../src/injector/reference.ts';

const pages = {
  'configuration.md': configurationPage(),
  'errors.md': errorsPage(),
  'injector.md': injectorPage(),
};
for (const [name, content] of Object.entries(pages)) {
  writeFileSync(fileURLToPath(new URL(`../../docs/${name}`, import.meta.url)), content);
}
for (const [name, content] of Object.entries(chartFiles())) {
  writeFileSync(fileURLToPath(new URL(`../../manifests/${chartFolder}/${name}`, import.meta.url)), content);
}
