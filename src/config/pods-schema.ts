/**
 * The part of the schema that says where a gateway's pods come from.
 *
 * Must not know how a source is asked.
 */

import { z } from 'zod';
import { count, flag, text, texts } from './values.ts';

/** A name of Kubernetes: a namespace, a Service, a port. */
const plainName = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;

export const pods = z
  .object({
    static: texts(/^[^=\s]{1,253}=\S{1,512}$/, 'NAME=HOST:PORT')
      .optional()
      .describe("The pods: each one's stable name and the address of its sidecar, or of the bare application."),
    dns: text(/^\S{1,512}$/, 'HOST:PORT')
      .optional()
      .describe(
        'A name whose addresses are the pods (a headless Service), and the port of all of them. Pods are named by their address.',
      ),
    kubernetes: z
      .object({
        namespace: text(plainName, 'a name')
          .optional()
          .describe("The Service's namespace; by default the gateway's own."),
        service: text(plainName, 'a name')
          .optional()
          .describe(
            'The Service whose EndpointSlices list the pods. Needs a Role: `list`, `watch` on `endpointslices` of `discovery.k8s.io`.',
          ),
        port: z
          .union([text(plainName, 'a port'), count({ min: 1, max: 65_535 })])
          .meta({ kind: 'name or number' })
          .optional()
          .describe(
            "The port's name in the Service, or its number at the pods; by default the only one that there is.",
          ),
        deletionCost: flag()
          .prefault(false)
          .describe(
            'Each pod is annotated with the number of its sessions, so that a Deployment that is scaled in loses those with the fewest. Needs `patch` on `pods/status` (docs/decisions/deletion-cost.md).',
          ),
      })
      .optional(),
    sidecars: flag()
      .optional()
      .describe(
        'Whether the pods have sidecars. By default true, unless the store is `memory:`; false means affinity only.',
      ),
  })
  .prefault({});
