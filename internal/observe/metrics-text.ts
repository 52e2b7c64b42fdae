import type { Metric, Metrics } from './metrics.ts';
import { OBJECT_METRICS, type ObjectSample } from './object-metrics.ts';

/** Before every name, so that metrics of several programs can be told apart. */
export const METRIC_PREFIX = 'tinymq_';

/** The text format of Prometheus (version 0.0.4): https://prometheus.io/docs/instrumenting/exposition_formats/ */
export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
/** OpenMetrics 1.0. */
export const OPEN_METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** All metrics as text that Prometheus reads. */
export function metricsText(metrics: Metrics, format: 'prometheus' | 'openmetrics'): string {
  let text = '';
  for (const metric of metrics.read()) text += familyText(metric, format);
  return format === 'openmetrics' ? `${text}# EOF\n` : text;
}

/** Metrics of single objects, in the same text. */
export function objectsText(samples: readonly ObjectSample[], format: 'prometheus' | 'openmetrics'): string {
  const byName = Map.groupBy(samples, ({ name }) => name);
  let text = '';
  for (const name of [...byName.keys()].sort())
    text += familyText({ name, ...OBJECT_METRICS[name], samples: byName.get(name)! }, format);
  return format === 'openmetrics' ? `${text}# EOF\n` : text;
}

type Family = Pick<Metric, 'type' | 'help' | 'samples'> & { name: string };

function familyText({ name, type, help, samples }: Family, format: 'prometheus' | 'openmetrics'): string {
  // A counter of OpenMetrics is called without its ending, and its sample with it (section 5.1).
  const family = format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
  let text = `# HELP ${METRIC_PREFIX}${family} ${escaped(help)}\n# TYPE ${METRIC_PREFIX}${family} ${type}\n`;
  for (const { suffix = '', labels, value } of samples)
    text += `${METRIC_PREFIX}${name}${suffix}${labelsText(labels)} ${valueText(value)}\n`;
  return text;
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** Both formats allow a quotation mark in a help text; only OpenMetrics asks for its escape, and Prometheus reads that. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function valueText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
