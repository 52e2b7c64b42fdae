import type { Guard } from '../../internal/access/guard.ts';
import { refusingFilters } from '../../internal/access/refused-filters.ts';
import { keepingProblem } from '../../internal/log/names.ts';
import { filterProblem } from '../../internal/topic.ts';
import type {
  BrokerOptions,
  ClusterOption,
  GrpcOptions,
  HttpOptions,
  KafkaLogDirs,
  KafkaOptions,
  LogOption,
  TokenOptions,
} from '../../pkg/embed/index.ts';
import { clusterTlsOf } from '../cli/options/cluster-options.ts';
import { itemsOf } from '../cli/options/items.ts';
import type { Values } from '../cli/options/option.ts';
import { UsageError } from '../cli/options/program.ts';
import type { brokerProgram } from './flags.ts';
import { type KafkaProperties, readKafkaProperties } from './kafka-properties.ts';
import { listenersOf, tlsOf } from './listeners.ts';

/**
 * What the flags say about the broker itself.
 *
 * @param report is told of each default listener that stays closed.
 * @param propertiesFile a Kafka's `server.properties`.
 * @throws UsageError where flags contradict each other.
 */
export function brokerOptionsOf(
  values: Values<typeof brokerProgram.options>,
  given: ReadonlySet<string>,
  report: (message: string) => void,
  propertiesFile?: string,
): BrokerOptions {
  const properties = propertiesFile === undefined ? undefined : readKafkaProperties(propertiesFile);
  const tls = tlsOf(values);
  const { urls, areDefaults } = listenersOf(values, given, properties?.listen);
  const kafkaLogDirs = kafkaLogDirsOf(values, given, properties);
  return {
    listen: urls.frames,
    kafka: urls.kafka.length === 0 ? undefined : kafkaOptionsOf(values, given, urls.kafka, properties),
    grpc: urls.grpc.length === 0 ? undefined : grpcOptionsOf(values, urls.grpc),
    http: urls.http.length === 0 ? undefined : httpOptionsOf(values, urls.http),
    kafkaLogDirs,
    onListenError: areDefaults ? (error) => report(`${error.message}; left closed`) : undefined,
    tls,
    socketMode: values['socket-mode'],
    maxMessageBytes: values['max-message'],
    maxClients: values['max-clients'],
    connectTimeoutMs: values['connect-timeout'],
    keepAliveMs: values.keepalive,
    channelSize: values['channel-size'],
    channelBytes: values['channel-bytes'],
    channelTotalBytes: values['channel-total-bytes'],
    slowConsumer: values['slow-consumer'],
    slowConsumerWaitMs: values['slow-consumer-wait'],
    sessionQueue: values['session-queue'],
    sessionQueueBytes: values['session-queue-bytes'],
    sessionExpiryMs: values['session-expiry'],
    sysIntervalMs: values['sys-interval'],
    shutdownTimeoutMs: values['shutdown-timeout'],
    cluster: clusterOf(values, given),
    keep: values.keep.map(keepOptionOf),
    dataDir: values['data-dir'],
    // Whoever names no folder may just be trying a second broker.
    dataDirIsOptional: !given.has('data-dir'),
    memory: values.memory,
    fsync: values.fsync,
    ...retentionOf(values, given, kafkaLogDirs !== undefined, properties),
    guard: guardOf(values['refuse-filter']),
    allowAnonymous: values['allow-anonymous'],
    usersFile: values.users,
    aclPartial: values['acl-partial'],
    adminSocket: true,
    certificateUsers: values['certificate-user'].length > 0 ? values['certificate-user'] : undefined,
    tokens: tokensOf(values, given),
    webSocketOrigins: values['ws-origin'].length > 0 ? values['ws-origin'] : undefined,
  };
}

/** @throws UsageError where a flag about a cluster has no effect. */
function clusterOf(values: BrokerValues, given: ReadonlySet<string>): ClusterOption | undefined {
  const servers = itemsOf(values.cluster);
  if (servers.length === 0) {
    const useless = [...given].find((flag) => flag.startsWith('cluster-'));
    if (useless !== undefined) throw new UsageError(`-${useless} has no effect without -cluster`);
    return undefined;
  }
  if (given.has('kafka-log-dir')) {
    throw new UsageError('-kafka-log-dir has no effect with -cluster: logs lie in NATS JetStream then');
  }
  return {
    servers,
    name: values['cluster-name'],
    fsync: values['cluster-fsync'],
    credentialsFile: values['cluster-credentials'],
    tls: clusterTlsOf(values),
    monitors: itemsOf(values['cluster-monitor']),
  };
}

/** @throws UsageError where a flag about tokens has no effect. */
function tokensOf(values: BrokerValues, given: ReadonlySet<string>): TokenOptions | undefined {
  const keys = values['jwt-keys'];
  if (keys === undefined) {
    const useless = [...given].find((flag) => flag.startsWith('jwt-'));
    if (useless !== undefined) throw new UsageError(`-${useless} has no effect without -jwt-keys`);
    return undefined;
  }
  const named = (flag: 'jwt-audience' | 'jwt-algorithm') =>
    values[flag].length > 0 ? values[flag].flatMap((item) => item.split(',')) : undefined;
  return {
    keys,
    issuer: values['jwt-issuer'],
    audience: named('jwt-audience'),
    userClaim: values['jwt-user-claim'],
    groupsClaim: values['jwt-groups-claim'],
    algorithms: named('jwt-algorithm'),
  };
}

function guardOf(refused: readonly string[]): Guard | undefined {
  for (const filter of refused) {
    const problem = filterProblem(filter);
    if (problem !== undefined) throw new UsageError(`-refuse-filter '${filter}': ${problem}`);
  }
  return refused.length === 0 ? undefined : refusingFilters(refused);
}

type BrokerValues = Values<typeof brokerProgram.options>;

function kafkaOptionsOf(
  values: BrokerValues,
  given: ReadonlySet<string>,
  listen: readonly string[],
  properties: KafkaProperties | undefined,
): KafkaOptions {
  const advertised = values['kafka-advertised'] ?? properties?.advertised;
  if (advertised !== undefined && !/^(\[[^\]]+\]|[^:]+):\d{1,5}$/.test(advertised)) {
    throw new UsageError(`-kafka-advertised is host:port, not '${advertised}'`);
  }
  const flag = values['kafka-partitions'];
  return {
    listen,
    advertised,
    autoCreate: values['kafka-auto-create'],
    partitions: given.has('kafka-partitions') ? flag : (properties?.partitions ?? flag),
  };
}

function grpcOptionsOf(values: BrokerValues, listen: readonly string[]): GrpcOptions {
  return { listen, maxMessageBytes: values['grpc-max-message'], allowWrites: values['grpc-writes'] };
}

function httpOptionsOf(values: BrokerValues, listen: readonly string[]): HttpOptions {
  return { listen, hosts: values['http-host'], origins: values['http-origin'] };
}

function kafkaLogDirsOf(
  values: BrokerValues,
  given: ReadonlySet<string>,
  properties: KafkaProperties | undefined,
): KafkaLogDirs | undefined {
  const directories = values['kafka-log-dir'];
  if (directories.length === 0 && properties === undefined) return undefined;
  for (const flag of ['keep', 'memory']) {
    if (given.has(flag)) {
      throw new UsageError(`-${flag} has no effect: what is kept lies in the log directories of a Kafka`);
    }
  }
  return directories.length > 0 ? { ...properties?.logDirs, directories } : properties!.logDirs;
}

/** Flags win over a `server.properties`; and what a Kafka has written is not deleted by a default of ours. */
function retentionOf(
  values: BrokerValues,
  given: ReadonlySet<string>,
  isOfKafka: boolean,
  properties: KafkaProperties | undefined,
): Pick<BrokerOptions, 'keepForMs' | 'keepBytes'> {
  const isGiven = (flag: string) => given.has(flag) || !isOfKafka;
  return {
    keepForMs: isGiven('keep-for') ? values['keep-for'] : (properties?.retentionMs ?? 0),
    keepBytes: isGiven('keep-bytes') ? values['keep-bytes'] : (properties?.retentionBytes ?? 0),
  };
}

/** `FILTER`, or `FILTER=NAME`. */
function keepOptionOf(text: string): LogOption {
  const split = text.lastIndexOf('=');
  const option: LogOption =
    split < 0 ? { filter: text } : { filter: text.slice(0, split), name: text.slice(split + 1) };
  const problem = keepingProblem(option.filter, option.name);
  if (problem !== undefined) throw new UsageError(`-keep '${text}': ${problem}`);
  return option;
}
