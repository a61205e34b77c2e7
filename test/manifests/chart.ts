/**
 * The Helm chart, written from the kustomize files, so that there is one truth: each template is one of them with its
 * values in place. `make docs` writes it; test/kubernetes/helm-chart.ts compares what Helm renders with the overlays.
 *
 * Must not know Helm.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const manifests = join(import.meta.dirname, '../../manifests');
/** Of the chart, below manifests/. */
export const chartFolder = 'helm/holdfast';

const head = '# Written from manifests/ by make docs; do not edit.\n';

interface Template {
  /** The kustomize file, below manifests/. */
  readonly from: string;
  /** When it is there. */
  readonly condition: string;
  readonly values?: readonly (readonly [written: string, template: string])[];
}

const namespace = ['namespace: shop', 'namespace: {{ .Release.Namespace }}'] as const;
const image = (name: string, value = name) =>
  [`image: ${name}\n`, `image: {{ .Values.images.${value} | quote }}\n`] as const;

/** A container's resources, as they are written, and whose value they are. */
const resources = (cpu: string, memory: string, limit: string, value: string) =>
  [
    `resources:\n            requests: { cpu: ${cpu}, memory: ${memory} }\n            limits: { memory: ${limit} }\n`,
    `resources: {{ toJson .Values.${value}.resources }}\n`,
  ] as const;
const pullSecrets = [
  '      enableServiceLinks: false\n',
  `      enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
      imagePullSecrets: {{ toJson . }}
{{- end }}
`,
] as const;

const onlyGateways = `    - from:
        - podSelector: { matchLabels: { app.kubernetes.io/name: holdfast-gateway } }
        - podSelector: { matchLabels: { app.kubernetes.io/name: application } }
`;

const templates: Readonly<Record<string, Template>> = {
  'gateway-access.yaml': {
    from: 'base/gateway/access.yaml',
    condition: '.Values.gateway.enabled',
    values: [namespace],
  },
  'gateway.yaml': {
    from: 'base/gateway/gateway.yaml',
    condition: '.Values.gateway.enabled',
    values: [
      [
        '  replicas: 2\n',
        '{{- if not .Values.gateway.autoscaling.enabled }}\n  replicas: {{ .Values.gateway.replicas }}\n{{- end }}\n',
      ],
      image('holdfast'),
      resources('100m', '128Mi', '512Mi', 'gateway'),
      pullSecrets,
    ],
  },
  'gateway-network-policy.yaml': { from: 'base/gateway/network-policy.yaml', condition: '.Values.gateway.enabled' },
  'gateway-disruption-budget.yaml': {
    from: 'base/gateway/disruption-budget.yaml',
    condition: '.Values.gateway.enabled',
  },
  'gateway-deletion-cost.yaml': {
    from: 'components/deletion-cost/role.yaml',
    condition: 'and .Values.gateway.enabled .Values.gateway.deletionCost',
    values: [namespace],
  },
  'gateway-deletion-cost-policy.yaml': {
    from: 'components/deletion-cost/admission-policy.yaml',
    condition: 'and .Values.gateway.enabled .Values.gateway.deletionCost',
    // Cluster-wide objects: each release has its own.
    values: [['ame: holdfast-deletion-cost\n', 'ame: holdfast-deletion-cost-{{ .Release.Namespace }}\n']],
  },
  'gateway-autoscaling.yaml': {
    from: 'components/autoscaling/gateway.yaml',
    condition: 'and .Values.gateway.enabled .Values.gateway.autoscaling.enabled',
    values: [
      ['minReplicas: 2', 'minReplicas: {{ .Values.gateway.autoscaling.minReplicas }}'],
      ['maxReplicas: 10', 'maxReplicas: {{ .Values.gateway.autoscaling.maxReplicas }}'],
    ],
  },
  'application.yaml': {
    from: 'base/application/application.yaml',
    condition: '.Values.application.enabled',
    values: [
      ['  replicas: 3\n', '  replicas: {{ .Values.application.replicas }}\n'],
      image('holdfast'),
      image('application'),
      resources('50m', '128Mi', '384Mi', 'sidecar'),
      resources('100m', '128Mi', '512Mi', 'application'),
      pullSecrets,
      // One value for both containers' mounts and for the sidecar's configuration.
      [
        'mountPath: /var/www/html/storage/framework/sessions',
        `mountPath: {{ (mergeOverwrite (fromYaml (.Files.Get "files/sidecar.yaml")) .Values.sidecar.config).sessions.directory }}`,
      ],
    ],
  },
  'application-service.yaml': {
    from: 'overlays/sidecar/service.yaml',
    condition: 'and .Values.application.enabled (not .Values.gateway.enabled)',
  },
  'application-network-policy.yaml': {
    from: 'base/application/network-policy.yaml',
    condition: '.Values.application.enabled',
    values: [
      [
        `${onlyGateways}      ports: [{ port: 8080 }]\n`,
        `{{- if .Values.gateway.enabled }}\n${onlyGateways}      ports: [{ port: 8080 }]\n{{- else }}\n    - ports: [{ port: 8080 }]\n{{- end }}\n`,
      ],
    ],
  },
  'application-disruption-budget.yaml': {
    from: 'base/application/disruption-budget.yaml',
    condition: '.Values.application.enabled',
  },
  'redis.yaml': { from: 'overlays/redis/redis.yaml', condition: '.Values.redis.enabled', values: [image('redis')] },
  'monitoring.yaml': { from: 'overlays/monitoring/scrape.yaml', condition: '.Values.monitoring.enabled' },
};

/** Files that templates show as they are: they have braces of their own, or become values. */
const files: Readonly<Record<string, string>> = {
  'gateway.yaml': 'base/gateway/config.yaml',
  'sidecar.yaml': 'base/application/config.yaml',
  'alerts.yaml': 'overlays/monitoring/alerts.yaml',
  'dashboard.json': 'overlays/monitoring/dashboard.json',
};

const configMap = (name: string, condition: string, changes: string): string => `${head}{{- if ${condition} }}
{{- $config := fromYaml (.Files.Get "files/${name}.yaml") }}
${changes}
apiVersion: v1
kind: ConfigMap
metadata:
  name: holdfast-${name}
data:
  config.yaml: |
{{ toYaml $config | indent 4 }}
{{- end }}
`;

/** Of several sources of pods none may be left of the file's. */
const gatewayChanges = `{{- if hasKey .Values.gateway.config "pods" }}{{ $config = omit $config "pods" }}{{ end }}
{{- $config = mergeOverwrite $config (deepCopy .Values.gateway.config) }}
{{- if .Values.gateway.deletionCost }}
{{- $config = mergeOverwrite $config (dict "pods" (dict "kubernetes" (dict "deletionCost" true))) }}
{{- end }}`;
const sidecarChanges = '{{- $config = mergeOverwrite $config (deepCopy .Values.sidecar.config) }}';

const shown: Readonly<Record<string, string>> = {
  'gateway-config.yaml': configMap('gateway', '.Values.gateway.enabled', gatewayChanges),
  'sidecar-config.yaml': configMap('sidecar', '.Values.application.enabled', sidecarChanges),
  'alerts.yaml': `${head}{{- if .Values.monitoring.enabled }}\n{{ .Files.Get "files/alerts.yaml" }}\n{{- end }}\n`,
  'dashboard.yaml': `${head}{{- if .Values.monitoring.enabled }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: holdfast-dashboard
  labels: { grafana_dashboard: '1' }
data:
  holdfast.json: |
{{ .Files.Get "files/dashboard.json" | indent 4 }}
{{- end }}
`,
};

/** Each file of the chart that is written, by its path in it. @throws Error where a file has changed under a value. */
export function chartFiles(): Readonly<Record<string, string>> {
  const written = Object.entries(templates).map(
    ([name, template]) => [`templates/${name}`, templated(template)] as const,
  );
  const copied = Object.entries(files).map(([name, from]) => [`files/${name}`, read(from)] as const);
  const others = Object.entries(shown).map(([name, text]) => [`templates/${name}`, text] as const);
  return Object.fromEntries([...written, ...copied, ...others]);
}

function templated({ from, condition, values = [] }: Template): string {
  let text = read(from);
  for (const [written, template] of values) {
    if (!text.includes(written)) throw new Error(`manifests/${from} has no ${JSON.stringify(written)}`);
    text = text.replaceAll(written, template);
  }
  return `${head}{{- if ${condition} }}\n${text}{{- end }}\n`;
}

function read(path: string): string {
  return readFileSync(join(manifests, path), 'utf8');
}
