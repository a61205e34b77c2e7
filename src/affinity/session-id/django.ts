/**
 * Django's session cookie: the key itself, 32 of a-z and 0-9 (SessionBase.create makes no other). Django would read
 * keys of 8 and more, but never opens a file for one that it has not made.
 *
 * Must not know files.
 */

import { pythonUnquoted } from '../python-cookies.ts';
import { digits, plainDecoder, shapeOf, smallLetters } from './decoder.ts';

export const djangoShape = shapeOf(digits + smallLetters, { min: 32, max: 32 });

export const djangoDecoder = plainDecoder('django', djangoShape, pythonUnquoted);
