import type { MetricType } from './metric-table.ts';

interface ObjectMetric {
  type: Exclude<MetricType, 'histogram'>;
  help: string;
  labels: readonly string[];
}

const CLIENT = ['id', 'client', 'user', 'door'];

/** The metrics of single objects, which `/metrics/per-object` has: there may be very many. docs/metrics.md has the table. */
export const OBJECT_METRICS = {
  client_bytes_received_total: { type: 'counter', help: 'Bytes read from a connection.', labels: CLIENT },
  client_bytes_sent_total: { type: 'counter', help: 'Bytes written to a connection.', labels: CLIENT },
  client_messages_received_total: {
    ...{ type: 'counter', labels: CLIENT },
    help: 'Messages that a client published or produced.',
  },
  client_messages_sent_total: {
    ...{ type: 'counter', labels: CLIENT },
    help: 'Messages that a client got.',
  },
  client_requests_total: {
    ...{ type: 'counter', labels: CLIENT },
    help: 'Requests of a client of Kafka or HTTP, calls of one of gRPC.',
  },
  client_messages_waiting: {
    ...{ type: 'gauge', labels: CLIENT },
    help: 'What waits because the client takes no more.',
  },
  group_members: { type: 'gauge', help: 'Members of a consumer group.', labels: ['group'] },
  group_topic_lag: {
    ...{ type: 'gauge', labels: ['group', 'topic'] },
    help: 'Records of a topic that a consumer group has not committed yet.',
  },
  objects_left_out: {
    ...{ type: 'gauge', labels: ['kind'] },
    help: 'Objects that are not shown here, because there are more than were asked for.',
  },
  live_topic_published_timestamp_seconds: {
    ...{ type: 'gauge', labels: ['topic'] },
    help: 'When the last live message of a topic came, in seconds since 1970.',
  },
  live_topic_published_total: {
    ...{ type: 'counter', labels: ['topic'] },
    help: 'Live messages of a topic, since the broker remembers it.',
  },
  topic_bytes: { type: 'gauge', help: 'Bytes of the batches in the log of a topic.', labels: ['topic'] },
  topic_partitions: { type: 'gauge', help: 'Partitions of a log.', labels: ['topic'] },
  topic_records_total: {
    ...{ type: 'counter', labels: ['topic'] },
    help: 'Offsets that were given in the log of a topic.',
  },
} as const satisfies Record<string, ObjectMetric>;

export type ObjectMetricName = keyof typeof OBJECT_METRICS;

/** A value of a metric for one object. */
export interface ObjectSample {
  readonly name: ObjectMetricName;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}
