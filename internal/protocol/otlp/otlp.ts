import { field, message, oneOf, packed, repeated } from '../grpc/schema.ts';

/**
 * The messages of the OpenTelemetry protocol that the broker sends, and the answers to them, as far as it uses them:
 * https://github.com/open-telemetry/opentelemetry-proto.
 */

const AnyValue = message('opentelemetry.proto.common.v1.AnyValue', {
  stringValue: oneOf('value', 1, 'string'),
  intValue: oneOf('value', 3, 'int64'),
});
const KeyValue = message('opentelemetry.proto.common.v1.KeyValue', {
  key: field(1, 'string'),
  value: field(2, AnyValue),
});
const InstrumentationScope = message('opentelemetry.proto.common.v1.InstrumentationScope', {
  name: field(1, 'string'),
});
const Resource = message('opentelemetry.proto.resource.v1.Resource', { attributes: repeated(1, KeyValue) });

const NumberDataPoint = message('opentelemetry.proto.metrics.v1.NumberDataPoint', {
  startTimeUnixNano: field(2, 'fixed64'),
  timeUnixNano: field(3, 'fixed64'),
  asDouble: oneOf('value', 4, 'double'),
  attributes: repeated(7, KeyValue),
});
const HistogramDataPoint = message('opentelemetry.proto.metrics.v1.HistogramDataPoint', {
  startTimeUnixNano: field(2, 'fixed64'),
  timeUnixNano: field(3, 'fixed64'),
  count: field(4, 'fixed64'),
  sum: oneOf('_sum', 5, 'double'),
  bucketCounts: packed(6, 'fixed64'),
  explicitBounds: packed(7, 'double'),
  attributes: repeated(9, KeyValue),
});
const Gauge = message('opentelemetry.proto.metrics.v1.Gauge', { dataPoints: repeated(1, NumberDataPoint) });
const Sum = message('opentelemetry.proto.metrics.v1.Sum', {
  dataPoints: repeated(1, NumberDataPoint),
  aggregationTemporality: field(2, 'int32'),
  isMonotonic: field(3, 'bool'),
});
const Histogram = message('opentelemetry.proto.metrics.v1.Histogram', {
  dataPoints: repeated(1, HistogramDataPoint),
  aggregationTemporality: field(2, 'int32'),
});
const Metric = message('opentelemetry.proto.metrics.v1.Metric', {
  name: field(1, 'string'),
  description: field(2, 'string'),
  unit: field(3, 'string'),
  gauge: oneOf('data', 5, Gauge),
  sum: oneOf('data', 7, Sum),
  histogram: oneOf('data', 9, Histogram),
});
const ScopeMetrics = message('opentelemetry.proto.metrics.v1.ScopeMetrics', {
  scope: field(1, InstrumentationScope),
  metrics: repeated(2, Metric),
});
const ResourceMetrics = message('opentelemetry.proto.metrics.v1.ResourceMetrics', {
  resource: field(1, Resource),
  scopeMetrics: repeated(2, ScopeMetrics),
});
export const ExportMetricsRequest = message(
  'opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest',
  { resourceMetrics: repeated(1, ResourceMetrics) },
);

const Status = message('opentelemetry.proto.trace.v1.Status', {
  message: field(2, 'string'),
  code: field(3, 'int32'),
});
const Span = message('opentelemetry.proto.trace.v1.Span', {
  traceId: field(1, 'bytes'),
  spanId: field(2, 'bytes'),
  traceState: field(3, 'string'),
  parentSpanId: field(4, 'bytes'),
  name: field(5, 'string'),
  kind: field(6, 'int32'),
  startTimeUnixNano: field(7, 'fixed64'),
  endTimeUnixNano: field(8, 'fixed64'),
  attributes: repeated(9, KeyValue),
  status: field(15, Status),
  flags: field(16, 'fixed32'),
});
const ScopeSpans = message('opentelemetry.proto.trace.v1.ScopeSpans', {
  scope: field(1, InstrumentationScope),
  spans: repeated(2, Span),
});
const ResourceSpans = message('opentelemetry.proto.trace.v1.ResourceSpans', {
  resource: field(1, Resource),
  scopeSpans: repeated(2, ScopeSpans),
});
export const ExportTraceRequest = message(
  'opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest',
  { resourceSpans: repeated(1, ResourceSpans) },
);

/** What a collector did not take; of the answers to spans and to metrics, whose first field has two names. */
const PartialSuccess = message('opentelemetry.proto.collector.PartialSuccess', {
  rejected: field(1, 'int64'),
  errorMessage: field(2, 'string'),
});
export const ExportResponse = message('opentelemetry.proto.collector.ExportServiceResponse', {
  partialSuccess: field(1, PartialSuccess),
});
