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

/**
 * All metrics as a request of OTLP in JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding, where
 * integers of 64 bits are texts.
 */
export function metricsRequest(
  metrics: Metrics,
  attributes: Readonly<Record<string, string>>,
  times: Times,
): object {
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
function metricOf(metric: Metric, times: Times): object | undefined {
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

function pointsOf({ type, samples }: Metric, { startedAtMs, nowMs }: Times): object[] {
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

function pointOf(histogram: Histogram, { startedAtMs, nowMs }: Times): object {
  return {
    attributes: [],
    startTimeUnixNano: nanoseconds(startedAtMs),
    timeUnixNano: nanoseconds(nowMs),
    count: String(histogram.count),
    sum: histogram.sum,
    bucketCounts: Array.from(histogram.counts, String),
    explicitBounds: histogram.bounds,
  };
}

function attributesOf(values: Readonly<Record<string, string>>): object[] {
  return Object.entries(values).map(([key, stringValue]) => ({ key, value: { stringValue } }));
}

function nanoseconds(ms: number): string {
  return String(BigInt(Math.floor(ms)) * 1_000_000n);
}
