/**
 * The frameworks whose cookie is the session id: PHP itself and what is built on its handler,
 * and `plain` for everything else. Each shape is what the framework makes, not what it would put up with, as far as
 * the two differ by configuration; the id may become a file name.
 */

import { percentDecoded } from '../cookie-line.ts';
import { alphanumerics, digits, plainDecoder, shapeOf } from './decoder.ts';

/** php_session_valid_key; 250: the longest that fits into a file name behind `sess_`. */
export const phpShape = shapeOf(`${alphanumerics},-`, { min: 1, max: 250 });

/** NativeSessionStorage makes a new id in the place of any other; PHP's own ids have 22 or more. */
export const symfonyShape = shapeOf(`${alphanumerics},-`, { min: 22, max: 250 });

export const codeigniterShape = shapeOf(`${digits}abcdef`, { min: 32, max: 32 });

/** Any cookie value of RFC 6265 section 4.1.1 but '/' and a '.' in front: both would be dangerous in a file name. */
const plainCharacters = shapeOf(`${alphanumerics}!#$%&'()*+,-.:<=>?@[]^_\`{|}~`, { min: 1, max: 250 });
export const plainShape: typeof plainCharacters = (text) =>
  text.charCodeAt(0) === 0x2e ? undefined : plainCharacters(text);

export const phpDecoder = plainDecoder('php', phpShape, percentDecoded);
export const symfonyDecoder = plainDecoder('php', symfonyShape, percentDecoded);
export const codeigniterDecoder = plainDecoder('php', codeigniterShape, percentDecoded);
export const plainValueDecoder = plainDecoder('first', plainShape, undefined);
