/**
 * docs/injector.md: how pods get their sidecar, with the tables of annotations and of skip reasons.
 *
 * Must not know anything that the tables do not say.
 */

import { annotationPrefix, annotations, isAnnotation } from './annotations.ts';
import { skipReasons } from './skip-reasons.ts';

const introduction = `# The injector

This page is written from \`src/injector/annotations.ts\` and \`src/injector/skip-reasons.ts\`; \`make docs\` writes it again.

A pod that says \`holdfast.dev/inject: "true"\` gets a sidecar, without a change of its image:

\`\`\`yaml
metadata:
  annotations:
    holdfast.dev/inject: "true"
    holdfast.dev/preset: laravel
    holdfast.dev/prefix: shop          # the gateway's store.prefix
spec:
  securityContext: { runAsUser: 10001 }
  containers:
    - name: php
      ports: [{ name: http, containerPort: 9000 }]
      env: [{ name: APP_KEY, valueFrom: { secretKeyRef: { name: shop, key: app-key } } }]
\`\`\`

Annotations stand at the **pod** (in a Deployment: \`spec.template.metadata\`). The namespace needs a Secret \`holdfast\` with
\`store-url\` and \`store-key\`. Kubernetes 1.30 or newer.

## Two ways

- \`holdfast inject -f app.yaml --image IMAGE | kubectl apply -f -\` changes files, needs no cluster, and shows what it
  does. Deployments, StatefulSets, DaemonSets, ReplicaSets, bare Pods and Lists; everything else passes through as it is,
  with its comments. A Service in the same file that leads to the port by its number is changed to the name. Keep the
  original file: a second run changes nothing, so it takes up neither a new image nor a changed annotation. Exit code 0:
  all who asked have a sidecar; 1: one was skipped for a reason below (all is written nevertheless), or the file or the
  arguments are unusable; 2: reading failed.
- \`holdfast injector\` does the same to each pod that is created: a mutating admission webhook. \`kubectl apply -k
  manifests/overlays/injector\`.

\`--default name=value\`, as often as needed, sets an annotation for all pods that do not have it: \`--default store=sessions\`.
`;

const changes = `## What changes in the pod

| | |
|---|---|
| init container \`holdfast\` | A native sidecar, behind the application's init containers: they may prepare the session directory. It starts before the application and ends after it, under the application's user, with Pod Security \`restricted\`. |
| the application's port | Loses its **name** to the sidecar, so that Services by name lead there. Its number, probes and environment stay; probes and hooks that used the name use the number. A \`hostPort\` goes with the name. |
| the session directory | Shared by the volume that the application has there: the part of it that holds the sessions. Else by a new emptyDir. |
| \`preStop\` | The application's containers sleep 5 s before they are told to stop, if they have no hook of their own. |
| \`terminationGracePeriodSeconds\` | Raised to the longest sleep + \`timeouts.drain\` + 5 s. |
| label \`holdfast.dev/sidecar: injected\` | For NetworkPolicies and monitors. |
| \`safe-to-evict-local-volumes\` | So that the cluster autoscaler may remove a node: what is in these volumes is in the store. |

A Service is looked at when a pod is created. One that comes later and has a number by-passes the sidecar until the next pod
is created, which is then skipped for it, with an Event: apply Services first, by name.

Not moved are other ports that lead to the application, whoever knows the pod's address, and clients that ask for its number
themselves (headless Services): let a NetworkPolicy admit only the ports of the sidecar.
`;

const gateway = `## A gateway before it

Clients may come to the application's own Service: a sidecar that does not have a session passes its request on. With gateways
they come to the pod that has it: \`manifests/base/gateway\` in an overlay of yours, and in its \`config.yaml\`

\`\`\`yaml
session: { preset: laravel, keys: ['file:/etc/holdfast/app-key'] }    # as the pods have it; app-key is in the Secret application
store: { url: file:/etc/holdfast/store-url, key: file:/etc/holdfast/store-key, prefix: shop }    # holdfast.dev/prefix
pods:
  kubernetes: { service: shop, port: http }     # the application's Service, and the name of its port there
\`\`\`

Its NetworkPolicy lets gateways go to pods with the label \`holdfast.dev/sidecar: injected\` at 9900; with another
\`holdfast.dev/listen-port\` that line changes too.
`;

const webhook = `## The webhook

- **Whom it is asked about**: pods with the annotation \`holdfast.dev/inject\`, in every namespace but its own and those of
  the system, and not where a namespace or pod has the **label** \`holdfast.dev/inject: disabled\`. With
  \`--default inject=true\` the \`matchConditions\` of the webhook configuration have to go.
- **It never refuses a pod.** Nobody there, or no answer within 10 s: the pod is created without a sidecar
  (\`failurePolicy: Ignore\`), and so are pods that are created in the second before a new injector is reachable. The API
  server counts them: \`apiserver_admission_webhook_fail_open_count{name="pods.injector.holdfast.dev"}\`. They do not have
  the label \`holdfast.dev/sidecar\`; delete them, and their controller makes new ones. With \`failurePolicy: Fail\` pods that
  ask for a sidecar wait until there is an injector, and only those: nobody else is asked about.
- **Skip reasons** are warnings of \`kubectl apply\` for Deployments, StatefulSets, DaemonSets and bare pods; Events
  (\`NoSidecar\`) at the ReplicaSet, StatefulSet or DaemonSet whose pod it is; lines in its log; and
  \`holdfast_injector_skips_total{reason}\`.
- **Quotas and a LimitRange** count the sidecar as they do every container, and may refuse the pod for it: \`cpu\`,
  \`memory\`, \`cpu-limit\` and \`memory-limit\` fit it in. It always has requests and a limit of memory. A limit of processor
  time it gets where all containers of the pod bring one, which a quota on \`limits.cpu\` makes them do; \`none\` leaves it out.
  Where a LimitRange gives them theirs it gives the sidecar's too, which may be too little for it: \`cpu-limit\` says better.
  For the QoS class Guaranteed say the same for \`cpu\` and \`cpu-limit\`, and for \`memory\` and \`memory-limit\`.
- **Its certificate** it makes itself, for 90 days (\`--certificate-days\`), in the Secret \`holdfast-injector-certificate\`
  that its replicas share; it writes the authority into the webhook configuration. After two thirds of that time a new
  authority is added there, is used ten minutes later, and the old one goes after that. The authority's key is kept nowhere.
  To have a new one at once, empty the Secret: \`kubectl -n holdfast-injector patch secret holdfast-injector-certificate
  --type json -p '[{"op":"remove","path":"/data"}]'\`.
- **Or cert-manager's**, by the component \`manifests/components/cert-manager\`: \`--certificate /tls/tls.crt --key /tls/tls.key\`
  from the Secret that it keeps, read again when it changes, and \`cert-manager.io/inject-ca-from\` at the webhook configuration. The
  injector then writes neither, and has no right to. Let an authority that stays sign it, as the component does: a certificate that is
  self-signed is its own authority, so with each renewal the API server trusts the new one a minute before the kubelet has brought it
  to the injector's pods, and pods that are created meanwhile have no sidecar.
- **What it may do** (\`manifests/overlays/injector/access.yaml\`): read and write that Secret and that webhook configuration,
  list Services, create Events. It reads no other Secret: sidecars get theirs from the kubelet. Without the right to list
  Services it warns, and injects all the same.
- **Whoever reaches its port** may ask for a review, and learns from it what he has sent. The API server shows no certificate
  by default, so there is nothing to check it by. A review has at most 4 MB, all that are under way 32 MB; beyond that the
  answer is 503, and the pod is created without a sidecar.
`;

/** The whole page. */
export function injectorPage(): string {
  return [introduction, annotationTable(), changes, gateway, reasonTable(), webhook].join('\n');
}

function annotationTable(): string {
  const rows = Object.entries(annotations).map(([name, { kind, words }]) => {
    const standard = isAnnotation(name) ? annotations[name].standard : undefined;
    return `| \`${name}\` | ${kind} | ${standard === undefined ? '' : `\`${standard}\``} | ${words} |`;
  });
  return [
    '## Annotations',
    '',
    `Each begins with \`${annotationPrefix}\`; all values are text, so numbers and true need quotes in YAML.`,
    '',
    '| annotation | value | default | |',
    '|---|---|---|---|',
    ...rows,
    '',
    'Keys from Secrets are files in the sidecar, so that a rotation reaches it; what the application has as a variable the',
    'sidecar has as the same variable. Presets that sign or encrypt need `keys` where the application gets its key by',
    '`envFrom` or from a file in its image.',
    '',
  ].join('\n');
}

function reasonTable(): string {
  const rows = Object.entries(skipReasons).map(([reason, words]) => `| \`${reason}\` | ${words} |`);
  return ['## Why a pod is skipped', '', '| reason | |', '|---|---|', ...rows, ''].join('\n');
}
