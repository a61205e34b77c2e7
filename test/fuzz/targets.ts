/** Everything that is fuzzed: whatever reads bytes that somebody else may have written. */

import type { Target } from './fuzzer.ts';
import { chunked } from './targets/chunked.ts';
import { cookies } from './targets/cookies.ts';
import { configuration, names, notes } from './targets/files.ts';
import { http1Requests } from './targets/http1-requests.ts';
import { http1Responses } from './targets/http1-responses.ts';
import { proxyHeaders } from './targets/proxy-headers.ts';
import { replies } from './targets/replies.ts';
import { blobs, messages, pins } from './targets/signed.ts';

export const targets: readonly Target[] = [
  http1Requests,
  http1Responses,
  chunked,
  proxyHeaders,
  cookies,
  pins,
  messages,
  blobs,
  names,
  notes,
  configuration,
  replies,
];
