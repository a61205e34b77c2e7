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
    ],
  },
  'gateway-network-policy.yaml': { from: 'base/gateway/network-policy.yaml', condition: '.Values.gateway.enabled' },
  'gateway-disruption-budget.yaml': {
    from: 'base/gateway/disruption-budget.yaml',
    condition: '.Values.gateway.enabled',
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

const configMap = (name: string, condition: string, values: string): string => `${head}{{- if ${condition} }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: holdfast-${name}
data:
  config.yaml: |
{{ mergeOverwrite (fromYaml (.Files.Get "files/${name}.yaml" | replace ".shop.svc." (printf ".%s.svc." .Release.Namespace))) ${values} | toYaml | indent 4 }}
{{- end }}
`;

const shown: Readonly<Record<string, string>> = {
  'gateway-config.yaml': configMap('gateway', '.Values.gateway.enabled', '.Values.gateway.config'),
  'sidecar-config.yaml': configMap('sidecar', '.Values.application.enabled', '.Values.sidecar.config'),
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
