import { maxMessageBytesCeiling } from '../../internal/limits/broker.ts';
import { maxGrpcMessageBytes } from '../../internal/limits/grpc.ts';
import { maxPartitionsPerTopic } from '../../internal/limits/kafka.ts';
import { clusterOptions } from '../cli/options/cluster-options.ts';
import { DAY_MS, NETWORKS } from '../cli/options/connection-options.ts';
import { bytes, choice, duration, fileMode, integer, list, text, toggle } from '../cli/options/option.ts';
import type { Program, Section } from '../cli/options/program.ts';
import { DEFAULT_ADDRESS, doorFlag } from './door-flags.ts';

const GiB = 1024 ** 3;

const options = {
  network: choice(NETWORKS, {
    group: 'Listening',
    help: 'what the listener of -address speaks, unless that is a URL; tcp unless given',
  }),
  address: text({
    group: 'Listening',
    placeholder: 'HOST:PORT|PATH|URL',
    help: `where to listen; ${DEFAULT_ADDRESS}, or /tmp/broker.sock with -network unix, unless given`,
  }),
  listen: list({
    group: 'Listening',
    placeholder: 'URL',
    help: 'more listeners: mqtt://host:port or tcp://, mqtts:// or tls://, ws://, wss://, unix:///path',
  }),
  'tls-cert': text({
    group: 'Listening',
    placeholder: 'FILE',
    help: 'the certificate (PEM); with -network tcp this means TLS',
  }),
  'tls-key': text({ group: 'Listening', placeholder: 'FILE', help: 'the key of the certificate (PEM)' }),
  'tls-ca': text({
    group: 'Listening',
    placeholder: 'FILE',
    help: 'ask clients for certificates that this CA signed (mutual TLS)',
  }),
  'tls-crl': text({
    group: 'Listening',
    placeholder: 'FILE',
    help: 'refuse certificates of clients that the CA has withdrawn: its list (PEM), read again when it changes',
  }),
  'socket-mode': fileMode({ group: 'Listening', default: '0660', help: 'who may use a unix socket' }),
  'ws-origin': list({
    group: 'Listening',
    placeholder: 'GLOB',
    help: 'web pages that may connect by WebSocket, such as https://*.example.com; pages of this machine and of the IP address dialled unless given',
  }),
  'refuse-filter': list({
    group: 'Limits',
    placeholder: 'FILTER',
    help: 'refuse subscriptions to FILTER and anything narrower, to test how clients react',
  }),
  users: text({
    group: 'Users',
    placeholder: 'FILE',
    help: 'users and rules, as YAML or JSON; read again when it changes, and on SIGHUP',
  }),
  'acl-partial': toggle({
    group: 'Users',
    help: 'grant subscriptions that are wider than what their client may read, and deliver only what it may',
  }),
  'allow-anonymous': toggle({
    group: 'Users',
    help: 'where there are no users, listen also on addresses that others reach, and let everybody do everything',
  }),
  'certificate-user': list({
    group: 'Users',
    placeholder: 'NAME|RULE',
    help: 'which name in a client certificate is its user: cn, dns, email, uri, subject or RULE:pattern/replacement/; cn unless given',
  }),
  'jwt-keys': text({
    group: 'Users',
    placeholder: 'FILE|URL',
    help: 'accept JSON Web Tokens that these keys signed: PEM, a JWK, or a set of them',
  }),
  'jwt-issuer': text({ group: 'Users', help: 'who has to have signed a token (iss)' }),
  'jwt-audience': list({ group: 'Users', help: 'whom a token has to be for (aud)' }),
  'jwt-user-claim': text({ group: 'Users', default: 'sub', help: 'the claim that names the user' }),
  'jwt-groups-claim': text({
    group: 'Users',
    default: 'groups',
    help: 'the claim that names the groups of the user',
  }),
  'jwt-algorithm': list({
    group: 'Users',
    placeholder: 'NAME',
    help: 'algorithms of tokens; those with public keys unless given',
  }),
  kafka: doorFlag('kafka'),
  'kafka-advertised': text({
    group: 'Kafka',
    placeholder: 'HOST:PORT',
    help: 'the address that the broker gives Kafka clients to connect to; unless given, the one they dialled',
  }),
  'kafka-auto-create': toggle({
    group: 'Kafka',
    default: 'true',
    help: 'create a topic when a Kafka client first asks for it',
  }),
  'kafka-partitions': integer(
    { min: 1, max: maxPartitionsPerTopic },
    { group: 'Kafka', default: '1', help: 'default number of partitions for new topics' },
  ),
  'kafka-log-dir': list({
    group: 'Kafka',
    placeholder: 'FOLDER',
    help: 'serve the log.dirs of an existing Kafka in place, and append there; -data-dir has no logs then',
  }),
  grpc: doorFlag('grpc'),
  'grpc-max-message': bytes(
    { min: 1, max: maxGrpcMessageBytes },
    { group: 'gRPC', default: '1GiB', help: 'the largest message that gRPC clients may send' },
  ),
  'grpc-writes': toggle({ group: 'gRPC', default: 'true', help: 'gRPC clients may change topics' }),
  http: doorFlag('http'),
  'http-host': list({
    group: 'HTTP',
    placeholder: 'GLOB',
    help: 'names of the broker in requests without TLS, beside addresses, localhost and names without dots',
  }),
  'http-origin': list({
    group: 'HTTP',
    placeholder: 'GLOB',
    help: 'other web pages that may use the HTTP door, such as https://*.example.com',
  }),
  'max-message': bytes(
    { min: 1, max: maxMessageBytesCeiling },
    { group: 'Limits', default: '16MiB', help: 'the largest payload, up to 1GiB' },
  ),
  'max-clients': integer(
    { min: 1, max: 10_000_000 },
    { group: 'Limits', default: '100000', help: 'the largest number of clients at once' },
  ),
  'connect-timeout': duration(
    { min: 1, max: DAY_MS },
    { group: 'Limits', default: '10', help: 'how long a client may take to send CONNECT' },
  ),
  keepalive: duration(
    { min: 0, max: DAY_MS },
    {
      group: 'Limits',
      default: '0',
      help: 'disconnect clients that are silent for this long; 0 disables it',
    },
  ),
  'channel-size': integer(
    { min: 1, max: 100_000_000 },
    {
      group: 'Slow subscribers',
      default: '100000',
      help: 'messages that may wait for a subscriber before its publishers pause',
    },
  ),
  'channel-bytes': bytes(
    { min: 1, max: 64 * GiB },
    {
      group: 'Slow subscribers',
      default: '8MiB',
      help: 'bytes that may wait for a subscriber before its publishers pause',
    },
  ),
  'channel-total-bytes': bytes(
    { min: 1, max: 1024 * GiB },
    {
      group: 'Slow subscribers',
      default: '512MiB',
      help: 'bytes that may wait for all subscribers together; each may have an eighth of what is left of them',
    },
  ),
  'slow-consumer-wait': duration(
    { min: 0, max: DAY_MS },
    {
      group: 'Slow subscribers',
      default: '1',
      help: 'how long a publisher pauses for its subscribers before those that take nothing count as slow',
    },
  ),
  'slow-consumer': choice(['drop-new', 'drop-oldest', 'disconnect'], {
    group: 'Slow subscribers',
    default: 'drop-new',
    help: 'what to do with a slow subscriber: drop its new messages, its oldest ones, or disconnect it',
  }),
  'session-queue': integer(
    { min: 1, max: 100_000_000 },
    {
      group: 'MQTT sessions',
      default: '100000',
      help: 'messages that may wait in one session while its client is away or takes no more',
    },
  ),
  'session-queue-bytes': bytes(
    { min: 1, max: 64 * GiB },
    { group: 'MQTT sessions', default: '64MiB', help: 'bytes of messages that may wait in one session' },
  ),
  'session-expiry': duration(
    { min: 0, max: 36_500 * DAY_MS },
    {
      group: 'MQTT sessions',
      default: '0',
      help: 'end sessions of MQTT before 5 whose client stays away for this long; 0 keeps them',
    },
  ),
  'sys-interval': duration(
    { min: 0, max: DAY_MS },
    {
      group: 'MQTT sessions',
      default: '10',
      help: 'how often the topics under $SYS are published; 0 disables them',
    },
  ),
  'shutdown-timeout': duration(
    { min: 0, max: DAY_MS },
    { group: 'Limits', default: '10', help: 'how long a stop waits until accepted messages are delivered' },
  ),
  keep: list({
    group: 'Keeping messages',
    placeholder: 'FILTER|FILTER=NAME',
    aliases: ['log'],
    help: 'keep the messages of topics that match, to be read again: each topic in a log of its own, or all in the log NAME',
  }),
  'data-dir': text({
    group: 'Keeping messages',
    placeholder: 'FOLDER',
    default: './data',
    help: 'where logs, sessions and retained messages are kept; with -kafka-log-dir the last two only',
  }),
  memory: toggle({
    group: 'Keeping messages',
    help: 'store everything in memory; it is lost when the broker stops',
  }),
  fsync: choice(['commit', 'os'], {
    group: 'Keeping messages',
    default: 'commit',
    help: 'when a write counts as durable: commit survives a power cut, os only a crash of the broker',
  }),
  'keep-for': duration(
    { min: 0, max: 36_500 * DAY_MS },
    {
      group: 'Keeping messages',
      aliases: ['log-retention'],
      default: '7d',
      help: 'how long messages are kept; 0 keeps them for ever',
    },
  ),
  'keep-bytes': bytes(
    { min: 0, max: 1024 ** 5 },
    {
      group: 'Keeping messages',
      aliases: ['log-retention-bytes'],
      default: '0',
      help: 'how many bytes of each log are kept; 0 keeps all of them',
    },
  ),
  ...clusterOptions,
  'cluster-fsync': choice(['commit', 'os'], {
    group: 'Cluster',
    default: 'commit',
    help: 'which servers hold logs: with commit those that sync what they acknowledge, and say so by the tag sync:always',
  }),
  'log-level': choice(['debug', 'info', 'warn', 'error', 'silent'], {
    group: 'Output',
    default: 'info',
    isLive: true,
    help: 'what to log, to the standard error',
  }),
  'log-format': choice(['auto', 'pretty', 'json'], {
    group: 'Output',
    default: 'auto',
    help: 'how to log; auto is pretty on a terminal and JSON elsewhere',
  }),
  stats: duration(
    { min: 100, max: DAY_MS },
    { group: 'Output', isLive: true, help: 'log counters and rates at this interval' },
  ),
  json: toggle({ group: 'Output', help: 'print what is listening as one JSON object' }),
  quiet: toggle({ group: 'Output', help: 'print nothing at the start' }),
  'check-config': toggle({
    group: 'Output',
    help: 'check flags, files, certificates, users and the data folder, open nothing, and exit with 0 or 1',
  }),
  config: text({ group: 'Output', placeholder: 'FILE', help: 'read options from a YAML or JSON file' }),
};

/** Flags that begin with one of these words are grouped under it in a file. */
export const brokerSections: Readonly<Record<string, Section>> = {
  tls: { help: 'Certificates, for all listeners with TLS.' },
  jwt: { help: 'JSON Web Tokens of clients.' },
  kafka: { help: 'The door for Kafka clients.', own: 'listen' },
  grpc: { help: 'The door for SMQ clients.', own: 'listen' },
  http: { help: 'The HTTP door.', own: 'listen' },
  channel: { help: 'What may wait for a subscriber that is connected.' },
  'slow-consumer': { help: 'Subscribers that do not take their messages.', own: 'policy' },
  session: { help: 'What may wait in a session of MQTT.' },
  keep: { help: 'Messages that are kept to be read again.', own: 'topics' },
  cluster: { help: 'Several brokers with the same logs, on NATS JetStream.', own: 'servers' },
  log: { help: 'What the broker tells of itself.' },
};

/** Whether a word is meant as the name of a file: `help` is not, nor is `localhost:1883`. */
export function isFileName(word: string): boolean {
  return /[./]/.test(word) && !/:\d+$|:\/\//.test(word);
}

export const brokerProgram: Program<typeof options> = {
  name: 'broker',
  summary:
    'A small publish/subscribe broker: MQTT and frames on one port, with doors for Kafka and SMQ clients.',
  options,
  sections: brokerSections,
  operands: {
    usage: '[server.properties]',
    help: 'the configuration of a Kafka, whose listeners and log.dirs are taken over',
    min: 0,
    max: 1,
    isLikely: isFileName,
  },
  examples: [
    'broker',
    'broker -network tcp -address :1883 -allow-anonymous',
    'broker -network unix -address /tmp/broker.sock',
    'broker -tls-cert server.crt -tls-key server.key -address localhost:8883',
    'broker -listen tcp://localhost:1883,unix:///tmp/broker.sock,ws://localhost:8083',
    'broker -kafka localhost:9092 -data-dir ./data',
    'broker -users users.yaml -address :1883',
    'broker -config tinymq.yaml',
    'broker -config tinymq.yaml -check-config',
    'broker server.properties',
  ],
};
