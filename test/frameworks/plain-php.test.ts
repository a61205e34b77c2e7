/**
 * PHP's own sessions, with PHP as it is run: its built-in server, php-fpm behind nginx, Apache's module.
 */

import { applications } from '../support/applications.ts';
import { frameworkCase } from './framework-case.ts';

frameworkCase('PHP under its built-in server', { application: () => applications['plain-php'] });
