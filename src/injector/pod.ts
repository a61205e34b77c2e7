/**
 * A pod as the API server and people's files spell it, as far as the injector reads or writes it. Everything else in it
 * is carried along untouched.
 *
 * What comes from outside is looked at by `readPod()` first, so that the rest of the folder can trust the types.
 */

import { z } from 'zod';

const name = z.string();
const portNumber = z.int().min(1).max(65_535);
const portReference = z.union([z.string(), z.int()]);
const named = z.looseObject({ name });
const handler = z.looseObject({
  httpGet: z.looseObject({ port: portReference, host: z.string().nullish() }).nullish(),
  tcpSocket: z.looseObject({ port: portReference, host: z.string().nullish() }).nullish(),
  sleep: z.looseObject({ seconds: z.int().nullish() }).nullish(),
});
const secretEntry = z.looseObject({ name, key: z.string() });

const container = z.looseObject({
  name,
  ports: z
    .array(
      z.looseObject({
        name: z.string().nullish(),
        containerPort: portNumber,
        protocol: z.string().nullish(),
        hostPort: z.int().nullish(),
        hostIP: z.string().nullish(),
      }),
    )
    .nullish(),
  env: z
    .array(
      z.looseObject({
        name,
        value: z.string().nullish(),
        valueFrom: z.looseObject({ secretKeyRef: secretEntry.nullish() }).nullish(),
      }),
    )
    .nullish(),
  volumeMounts: z
    .array(
      z.looseObject({
        name,
        mountPath: z.string(),
        subPath: z.string().nullish(),
        subPathExpr: z.string().nullish(),
        readOnly: z.boolean().nullish(),
      }),
    )
    .nullish(),
  startupProbe: handler.nullish(),
  readinessProbe: handler.nullish(),
  livenessProbe: handler.nullish(),
  lifecycle: z.looseObject({ preStop: handler.nullish(), postStart: handler.nullish() }).nullish(),
  securityContext: z
    .looseObject({
      runAsUser: z.int().nullish(),
      runAsGroup: z.int().nullish(),
      runAsNonRoot: z.boolean().nullish(),
      seLinuxOptions: z.looseObject({}).nullish(),
    })
    .nullish(),
  restartPolicy: z.string().nullish(),
});

const texts = z.record(z.string(), z.string()).nullish();

const podSchema = z.looseObject({
  metadata: z
    .looseObject({
      annotations: texts,
      labels: texts,
      ownerReferences: z
        .array(z.looseObject({ apiVersion: z.string(), kind: z.string(), name, uid: z.string() }))
        .nullish(),
    })
    .nullish(),
  spec: z.looseObject({
    containers: z.array(container).min(1),
    initContainers: z.array(container).nullish(),
    volumes: z.array(named).nullish(),
    hostNetwork: z.boolean().nullish(),
    shareProcessNamespace: z.boolean().nullish(),
    restartPolicy: z.string().nullish(),
    terminationGracePeriodSeconds: z.int().nullish(),
    os: z.looseObject({ name: z.string() }).nullish(),
    nodeSelector: texts,
    securityContext: z
      .looseObject({ runAsUser: z.int().nullish(), runAsGroup: z.int().nullish(), runAsNonRoot: z.boolean().nullish() })
      .nullish(),
  }),
});

export type Pod = z.infer<typeof podSchema>;
export type PodSpec = Pod['spec'];
export type Container = z.infer<typeof container>;
export type ContainerPort = NonNullable<Container['ports']>[number];
export type EnvironmentVariable = NonNullable<Container['env']>[number];
export type VolumeMount = NonNullable<Container['volumeMounts']>[number];
export type Handler = z.infer<typeof handler>;
export type Volume = NonNullable<PodSpec['volumes']>[number];

/**
 * A pod, or a pod template, if its shape is one.
 * @returns `pod` is the object that was given, not a copy; `why` says what is wrong with it, with its path.
 */
export function readPod(
  given: unknown,
): { readonly kind: 'pod'; readonly pod: Pod } | { readonly kind: 'unreadable'; readonly why: string } {
  const read = podSchema.safeParse(given);
  if (read.success) return { kind: 'pod', pod: given as Pod };
  const [issue] = read.error.issues;
  return { kind: 'unreadable', why: `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}` };
}

/** Every container: the application's, its init containers, and native sidecars. */
export function allContainers(spec: PodSpec): readonly Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

/** TCP is what a port without a word about it is (core/v1 ContainerPort). */
export function isTcp(port: ContainerPort): boolean {
  return (port.protocol ?? 'TCP') === 'TCP';
}
