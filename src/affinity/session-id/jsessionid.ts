/**
 * The session id of Java's servlet containers. Tomcat's is 32 capital hexadecimal digits and, with a jvmRoute, '.' and
 * that route; others have other letters and lengths. The route is part of the id: Tomcat keeps `A.node1` and `A.node2`
 * as different sessions, and so does this; no pod is chosen by it.
 *
 * Of several different cookies Tomcat takes the first that names a living session, which nobody else can know: then
 * there is no session here (rules 26). Ids in the path (`;jsessionid=`) are not read.
 */

import { unquoted } from '../cookie-line.ts';
import { alphanumerics, plainDecoder, shapeOf, type SessionIdShape } from './decoder.ts';

const identifier = shapeOf(`${alphanumerics}_-`, { min: 16, max: 128 });
const route = shapeOf(`${alphanumerics}_-`, { min: 1, max: 64 });
/** Both, and the dot between them. */
const whole = shapeOf(`${alphanumerics}_-.`, { min: 16, max: 193 });

export const jsessionidShape: SessionIdShape = (text) => {
  const dot = text.indexOf('.');
  if (dot === -1) return identifier(text);
  const isRouted = identifier(text.slice(0, dot)) !== undefined && route(text.slice(dot + 1)) !== undefined;
  return isRouted ? whole(text) : undefined;
};

export const jsessionidDecoder = plainDecoder('only', jsessionidShape, unquoted);
