/**
 * Express with session-file-store.
 */

import { applications } from '../support/applications.ts';
import { frameworkCase } from './framework-case.ts';

frameworkCase('Express with session-file-store', { application: () => applications.express });
