import type { NewMessageOf } from '../../protocol/grpc/schema.ts';
import type { ExportMetricsRequest } from '../../protocol/otlp/otlp.ts';
import type { Histogram } from '../histogram.ts';
import type { Metric, Metrics } from '../metrics.ts';
import { METRIC_PREFIX } from '../metrics-text.ts';

/** From when on counters count, and when they were read. */
export interface Times {
  readonly startedAtMs: number;
  readonly nowMs: number;
}

/** `AGGREGATION_TEMPORALITY_CUMULATIVE`. */
const CUMULATIVE = 2;

type Request = NewMessageOf<typeof ExportMetricsRequest>;
type Shown = NonNullable<
  NonNullable<NonNullable<Request['resourceMetrics']>[number]['scopeMetrics']>[number]['metrics']
>[number];

/** All metrics as a request of OTLP. */
export function metricsRequest(
  metrics: Metrics,
  attributes: Readonly<Record<string, string>>,
  times: Times,
): Request {
  const shown = [...metrics.read()].map((metric) => metricOf(metric, times));
  return {
    resourceMetrics: [
      {
        resource: { attributes: attributesOf(attributes) },
        scopeMetrics: [
          { scope: { name: 'tinymq' }, metrics: shown.filter((metric) => metric !== undefined) },
        ],
      },
    ],
  };
}

/** Nothing for a metric that has no value now. */
function metricOf(metric: Metric, times: Times): Shown | undefined {
  const { name, type, help, histogram } = metric;
  const about = { name: `${METRIC_PREFIX}${name}`, description: help, unit: unitOf(name) };
  if (histogram !== undefined)
    return {
      ...about,
      histogram: { aggregationTemporality: CUMULATIVE, dataPoints: [pointOf(histogram, times)] },
    };
  const dataPoints = pointsOf(metric, times);
  if (dataPoints.length === 0) return undefined;
  if (type === 'gauge') return { ...about, gauge: { dataPoints } };
  return { ...about, sum: { aggregationTemporality: CUMULATIVE, isMonotonic: true, dataPoints } };
}

/** In UCUM; none for what is counted: with `1` Prometheus would call a gauge a ratio. */
function unitOf(name: string): string {
  if (/(^|_)bytes(_|$)/.test(name)) return 'By';
  return /_seconds(_total)?$/.test(name) ? 's' : '';
}

function pointsOf({ type, samples }: Metric, { startedAtMs, nowMs }: Times) {
  const start = type === 'counter' ? { startTimeUnixNano: nanoseconds(startedAtMs) } : {};
  return samples
    .filter(({ value }) => Number.isFinite(value))
    .map(({ labels, value }) => ({
      attributes: attributesOf(labels),
      ...start,
      timeUnixNano: nanoseconds(nowMs),
      asDouble: value,
    }));
}

function pointOf(histogram: Histogram, { startedAtMs, nowMs }: Times) {
  return {
    attributes: [],
    startTimeUnixNano: nanoseconds(startedAtMs),
    timeUnixNano: nanoseconds(nowMs),
    count: histogram.count,
    sum: histogram.sum,
    bucketCounts: [...histogram.counts],
    explicitBounds: [...histogram.bounds],
  };
}

/** What has no value is left out. */
export function attributesOf(values: Readonly<Record<string, string | number | undefined>>) {
  return Object.entries(values).flatMap(([key, value]) =>
    value === undefined
      ? []
      : [{ key, value: typeof value === 'string' ? { stringValue: value } : { intValue: value } }],
  );
}

export function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms * 1_000)) * 1_000n;
}
