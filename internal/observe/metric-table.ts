/**
 * Every metric of the broker: its name, what it says, and its labels. Names follow Prometheus: base units (bytes,
 * seconds), and `_total` at the end of what only grows. docs/metrics.md is generated from this table.
 */

import { SECONDS_OF_A_CLAIM, SECONDS_OF_A_WRITE } from './histogram.ts';

/** What only grows since the start of the broker is a counter; a gauge goes up and down; a histogram counts by size. */
export type MetricType = 'counter' | 'gauge' | 'histogram';

export interface MetricEntry {
  type: MetricType;
  /** What it counts, as a sentence. */
  help: string;
  /** By what its values are told apart. */
  labels?: readonly string[];
  /** Whether `stats()` has the sum of all labels too, under the plain name: that is older than the labels. */
  isSummed?: true;
}

export const METRICS = {
  build_info: {
    type: 'gauge',
    help: 'Always 1; the labels say what is running.',
    labels: ['version', 'node'],
  },
  bytes_received_total: { type: 'counter', help: 'Bytes read from sockets.' },
  bytes_sent_total: { type: 'counter', help: 'Bytes written to sockets.' },
  certificate_expiry_timestamp_seconds: {
    type: 'gauge',
    help: 'When the certificate of the TLS listeners ends, in seconds since 1970.',
  },
  channel_bytes_waiting: { type: 'gauge', help: 'Bytes that wait for subscribers.' },
  clients: { type: 'gauge', help: 'Connected clients of the frames and of MQTT.' },
  clients_connected_total: { type: 'counter', help: 'Clients that were let in.' },
  clients_taken_over_total: {
    type: 'counter',
    help: 'Connections that a newer one with the same id replaced.',
  },
  connection_problems_total: {
    type: 'counter',
    help: 'Connections that failed before they were open.',
    labels: ['code'],
    isSummed: true,
  },
  connections: { type: 'gauge', help: 'Open connections of each door.', labels: ['door'] },
  connections_accepted_total: { type: 'counter', help: 'Connections that were accepted.' },
  connections_lost_total: {
    type: 'counter',
    help: 'Connections of clients that broke off without DISCONNECT.',
    labels: ['code'],
  },
  disk_free_bytes: {
    type: 'gauge',
    help: 'What is free on the disk of the store, or on the fullest of several.',
  },
  disconnects_total: {
    type: 'counter',
    help: 'Connections that the broker ended, by the code that was told or logged.',
    labels: ['code'],
  },
  door_bytes_received_total: {
    type: 'counter',
    help: 'Bytes read from the connections of each door, below TLS not counted.',
    labels: ['door'],
  },
  door_bytes_sent_total: {
    type: 'counter',
    help: 'Bytes written to the connections of each door.',
    labels: ['door'],
  },
  door_messages_received_total: {
    type: 'counter',
    help: 'Messages that clients of each door published or produced.',
    labels: ['door'],
  },
  door_messages_sent_total: {
    type: 'counter',
    help: 'Messages that clients of each door got.',
    labels: ['door'],
  },
  door_requests_total: {
    type: 'counter',
    help: 'Requests of Kafka and HTTP clients, calls of gRPC; frames and MQTT have none.',
    labels: ['door'],
  },
  event_loop_delay_seconds: {
    type: 'gauge',
    help: 'How much later than planned the process got to work, in the last ten seconds or more that somebody asked about.',
    labels: ['statistic'],
  },
  group_lag: {
    type: 'gauge',
    help: 'Records that consumer groups have not committed yet, of the group with the most and of all together.',
    labels: ['statistic'],
  },
  groups: {
    type: 'gauge',
    help: 'Consumer groups.',
  },
  grpc_calls: { type: 'gauge', help: 'Open calls of the gRPC door.' },
  grpc_calls_total: {
    type: 'counter',
    help: 'Calls of the gRPC door that are over, by their status.',
    labels: ['status'],
  },
  grpc_connections: { type: 'gauge', help: 'Open connections of the gRPC door.' },
  grpc_messages_received_total: { type: 'counter', help: 'Messages produced by the gRPC door.' },
  grpc_messages_sent_total: { type: 'counter', help: 'Messages consumed by the gRPC door.' },
  kafka_connections: { type: 'gauge', help: 'Open connections of the Kafka door.' },
  kafka_requests_total: { type: 'counter', help: 'Requests to the Kafka door.' },
  link_bytes_waiting: {
    type: 'gauge',
    help: 'Bytes of live messages that are on their way to other nodes, which have not taken them yet.',
  },
  link_messages_lost_total: {
    type: 'counter',
    help: 'Live messages that other nodes were to have, or this one was, and that did not arrive.',
  },
  link_messages_received_total: { type: 'counter', help: 'Live messages that other nodes sent to this one.' },
  link_messages_sent_total: { type: 'counter', help: 'Live messages that were sent to other nodes.' },
  links: { type: 'gauge', help: 'Other nodes of the cluster that are there.' },
  log_append_seconds: {
    type: 'histogram',
    help: 'From the handing of a batch to the store until it is durable there.',
  },
  log_bytes: {
    type: 'gauge',
    help: 'Bytes of the batches in all logs.',
  },
  log_messages_lost_total: {
    type: 'counter',
    help: 'Live messages that a log could not take.',
    labels: ['code'],
    isSummed: true,
  },
  log_partitions: { type: 'gauge', help: 'Partitions of all logs.' },
  logs: { type: 'gauge', help: 'Logs (topics of Kafka).' },
  message_bytes_delivered_total: {
    type: 'counter',
    help: 'Bytes of the delivered messages, as they came in.',
  },
  message_bytes_received_total: { type: 'counter', help: 'Bytes of the received messages, on the wire.' },
  messages_delivered_total: {
    type: 'counter',
    help: 'Messages for subscribers, those included that a slow one did not get or that expired in its session.',
  },
  messages_dropped_total: {
    type: 'counter',
    help: 'Messages that subscribers did not get.',
    labels: ['code'],
    isSummed: true,
  },
  messages_expired_total: {
    type: 'counter',
    help: 'Messages that were not sent to a subscriber in the time that their publisher gave them.',
    labels: ['code'],
  },
  messages_received_total: { type: 'counter', help: 'Messages that clients published.' },
  messages_replayed_total: { type: 'counter', help: 'Messages that were read from a log for a subscriber.' },
  nats_connected: {
    type: 'gauge',
    help: 'Whether this node hears itself through NATS: 0 while it is cut off, and leads nothing.',
  },
  nats_cut_offs_total: {
    type: 'counter',
    help: 'Times that this node lost NATS, or did not hear itself there.',
  },
  node: { type: 'gauge', help: 'The number of this node in its cluster; 0 for a broker on its own.' },
  process_cpu_seconds_total: {
    type: 'counter',
    help: 'Processor time of the broker, in user space and in the kernel.',
  },
  process_heap_bytes: { type: 'gauge', help: 'Memory of JavaScript objects that is in use.' },
  process_resident_memory_bytes: { type: 'gauge', help: 'Memory of the process.' },
  process_start_time_seconds: { type: 'gauge', help: 'When the broker started, in seconds since 1970.' },
  refusals_total: {
    type: 'counter',
    help: 'Messages and subscriptions that were refused, their connection staying open, by the code that was told.',
    labels: ['code'],
  },
  retained_bytes: {
    type: 'gauge',
    help: 'Bytes of the messages that clients have retained, with their topics.',
  },
  retained_messages: {
    type: 'gauge',
    help: 'Topics with a message that a client has retained.',
  },
  retained_refused_total: { type: 'counter', help: 'Messages that could not be retained.' },
  session_bytes_waiting: { type: 'gauge', help: 'Bytes of the messages that wait in sessions.' },
  session_messages_unacknowledged: {
    type: 'gauge',
    help: 'Messages that were sent and are not acknowledged.',
  },
  session_messages_waiting: { type: 'gauge', help: 'Messages that wait in sessions.' },
  sessions: { type: 'gauge', help: 'Sessions of MQTT clients that are connected or expected back.' },
  sessions_ended_total: {
    type: 'counter',
    help: 'Sessions that ended while their client was away, by the code.',
    labels: ['code'],
  },
  sessions_evicted_total: { type: 'counter', help: 'Sessions that were ended to make room for others.' },
  sessions_expired_total: { type: 'counter', help: 'Sessions that nobody came back to in time.' },
  shard_claim_seconds: {
    type: 'histogram',
    help: 'From when this node saw that a shard had no owner until this node owned it.',
  },
  shard_messages_behind: {
    type: 'gauge',
    help: 'Messages of a shard that NATS has, and of which this node has not heard yet.',
    labels: ['shard'],
  },
  shards_owned: { type: 'gauge', help: 'Shards of the logs of a cluster that this node owns.' },
  shards_ownerless: {
    type: 'gauge',
    help: 'Shards of which this node knows no owner that is there: nothing is written to them.',
  },
  shared_subscriptions: { type: 'gauge', help: 'Subscriptions that share their messages with a group.' },
  slow_consumer_episodes_total: { type: 'counter', help: 'Times that a subscriber became slow.' },
  spans_dropped_total: {
    type: 'counter',
    help: 'Spans that were not exported: too many waited, or the collector did not take them.',
  },
  spans_exported_total: { type: 'counter', help: 'Spans that a collector took.' },
  store_bytes: { type: 'gauge', help: 'Size of the files of the store.' },
  store_bytes_waiting: { type: 'gauge', help: 'Bytes of batches that are not durable yet.' },
  store_commit_seconds: {
    type: 'histogram',
    help: 'How long the store took to write a group of changes and make it last.',
  },
  store_changes_waiting: { type: 'gauge', help: 'Changes that are not durable yet.' },
  store_fsync_seconds: {
    type: 'histogram',
    help: 'How long the disk took to keep what was written for a group: fdatasync, or COMMIT of SQLite; none with -fsync os.',
  },
  store_damaged_batches: { type: 'gauge', help: 'Damaged batches that reads came upon since the start.' },
  subscribed_filters: { type: 'gauge', help: 'Different filters that anybody is subscribed to.' },
  subscriptions: { type: 'gauge', help: 'Filters subscribed to, shared ones included.' },
  throttled_total: {
    type: 'counter',
    help: 'Times that a client had to wait, or was refused, because it went over a rate of docs/limits.md.',
    labels: ['door', 'code'],
  },
  traces: { type: 'gauge', help: 'Traces that are running: they cost something for every message.' },
  topics_remembered: { type: 'gauge', help: 'Topics in the topic table.' },
} as const satisfies Record<string, MetricEntry>;

export type MetricName = keyof typeof METRICS;

/** The names of the metrics of one type. */
export type NameOf<T extends MetricType> = {
  [N in MetricName]: (typeof METRICS)[N]['type'] extends T ? N : never;
}[MetricName];

/** The bounds of each histogram. */
export const BUCKETS: Readonly<Record<NameOf<'histogram'>, readonly number[]>> = {
  log_append_seconds: SECONDS_OF_A_WRITE,
  shard_claim_seconds: SECONDS_OF_A_CLAIM,
  store_commit_seconds: SECONDS_OF_A_WRITE,
  store_fsync_seconds: SECONDS_OF_A_WRITE,
};

/** The labels that a value of this metric has, each with its value. */
export type LabelsOf<N extends MetricName> = (typeof METRICS)[N] extends { labels: readonly (infer L)[] }
  ? Readonly<Record<L & string, string>>
  : undefined;
