/**
 * The one table of reasons for which a pod that asked for a sidecar gets none. A pod is never refused for it: it runs as
 * it is, and the reason is told as a warning to whoever applied it, as an Event, in the log and in a metric.
 */

const rows = {
  'pod-unreadable': 'The pod does not have the shape of one.',
  'not-a-server': 'The pod ends by itself (a Job, or `restartPolicy` other than Always): it serves no sessions.',
  'host-network':
    "The pod uses its node's network: its ports are the node's, and nothing can come between (`hostNetwork`).",
  windows: 'The pod runs on Windows.',
  'already-there': 'The pod has a container named `holdfast` that the injector did not make; it is left as it is.',
  'annotation-invalid': 'An annotation of `holdfast.dev/` does not exist, or its value can not be used.',
  'container-unknown':
    'It is not clear which of several containers writes the session files: `holdfast.dev/container` names it.',
  'port-unknown':
    "It is not clear which port is the application's HTTP: `holdfast.dev/port` names it, or a container port named `http`.",
  'port-taken': 'A port of the sidecar is used in the pod already: `holdfast.dev/listen-port` and its like move it.',
  'preset-unknown': 'The framework is not known: `holdfast.dev/preset` names it.',
  'cookie-unknown': 'Preset `plain` has no session cookie of its own: `holdfast.dev/cookie` names it.',
  'keys-unknown':
    "The preset needs the application's key, and the container gets it in no way that the sidecar can share: `holdfast.dev/keys` names a Secret.",
  'directory-unknown': 'The session directory is not known: `holdfast.dev/directory` names it.',
  'directory-unusable': 'The session directory is in a volume that the sidecar can not share, or can not write to.',
  'uid-unknown':
    'The user of the application is not known: `runAsUser`, or `holdfast.dev/uid`. PHP refuses session files of another user.',
  'root-forbidden':
    'The sidecar would have to run as root, which the pod forbids (`runAsNonRoot`): it would be refused as a whole.',
  'service-by-number':
    "A Service leads to the application by its port's number, past the sidecar: its `targetPort` has to be the name.",
  'no-image': 'There is no image for the sidecar: `--image`, or `holdfast.dev/image`.',
  'configuration-unusable': 'The sidecar would refuse its configuration.',
} as const;

export type SkipReason = keyof typeof rows;

export const skipReasons: Readonly<Record<SkipReason, string>> = rows;

/** Thrown inside the pure function, and turned into its result at its edge (inject-pod.ts). */
export class Skip extends Error {
  readonly reason: SkipReason;

  /** @param detail what exactly, for this pod; short, because the API server cuts warnings at 256 characters. */
  constructor(reason: SkipReason, detail: string) {
    super(detail);
    this.name = 'Skip';
    this.reason = reason;
  }
}
