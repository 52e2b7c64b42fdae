import type { brokerProgram } from '../../internal/config/broker.ts';
import type { Values } from '../../internal/config/option.ts';
import { UsageError } from '../../internal/config/program.ts';
import { logNameProblem } from '../../internal/log/names.ts';
import { filterProblem } from '../../internal/topic.ts';
import type { BrokerOptions, KafkaOptions, LogOption } from '../../pkg/embed/index.ts';
import { listenersOf, tlsOf } from './listeners.ts';

/**
 * What the flags say about the broker itself.
 *
 * @param report is told of each default listener that stays closed.
 * @throws UsageError where flags contradict each other.
 */
export function brokerOptionsOf(
  values: Values<typeof brokerProgram.options>,
  given: ReadonlySet<string>,
  report: (message: string) => void,
): BrokerOptions {
  const tls = tlsOf(values);
  const { urls, kafka, areDefaults } = listenersOf(values, given);
  return {
    listen: urls,
    kafka: kafka.length === 0 ? undefined : kafkaOptionsOf(values, kafka),
    onListenError: areDefaults ? (error) => report(`${error.message}; left closed`) : undefined,
    tls,
    socketMode: values['socket-mode'],
    maxMessageBytes: values['max-message'],
    maxClients: values['max-clients'],
    connectTimeoutMs: values['connect-timeout'],
    keepAliveMs: values.keepalive,
    channelSize: values['channel-size'],
    channelBytes: values['channel-bytes'],
    slowConsumer: values['slow-consumer'],
    slowConsumerWaitMs: values['slow-consumer-wait'],
    shutdownTimeoutMs: values['shutdown-timeout'],
    logs: values.log.map(logOptionOf),
    dataDir: values['data-dir'],
    memory: values.memory,
    fsync: values.fsync,
    logRetentionMs: values['log-retention'],
    logRetentionBytes: values['log-retention-bytes'],
    webSocketOrigins: values['ws-origin'].length > 0 ? values['ws-origin'] : undefined,
  };
}

function kafkaOptionsOf(
  values: Values<typeof brokerProgram.options>,
  listen: readonly string[],
): KafkaOptions {
  const advertised = values['kafka-advertised'];
  if (advertised !== undefined && !/^(\[[^\]]+\]|[^:]+):\d{1,5}$/.test(advertised)) {
    throw new UsageError(`-kafka-advertised is host:port, not '${advertised}'`);
  }
  return {
    listen,
    advertised,
    autoCreate: values['kafka-auto-create'],
    partitions: values['kafka-partitions'],
  };
}

/** `FILTER`, or `FILTER=LOG`. */
function logOptionOf(text: string): LogOption {
  const split = text.lastIndexOf('=');
  const option = split < 0 ? { filter: text } : { filter: text.slice(0, split), name: text.slice(split + 1) };
  const problem =
    filterProblem(option.filter) ??
    (option.filter.startsWith('$') ? 'names that begin with $ are not kept' : undefined) ??
    (option.name === undefined ? undefined : logNameProblem(option.name));
  if (problem !== undefined) throw new UsageError(`-log '${text}': ${problem}`);
  return option;
}
