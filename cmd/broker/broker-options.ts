import type { brokerProgram } from '../../internal/config/broker.ts';
import type { Values } from '../../internal/config/option.ts';
import type { BrokerOptions } from '../../pkg/embed/index.ts';
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
  const { urls, areDefaults } = listenersOf(values, given);
  return {
    listen: urls,
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
    webSocketOrigins: values['ws-origin'].length > 0 ? values['ws-origin'] : undefined,
  };
}
