import type { kafkaOptions } from '../../internal/config/tinymq-kafka.ts';
import type { Invocation } from '../shared/run-program.ts';
import { addressOf, tlsSettingsOf } from './connection-flags.ts';
import { KafkaClient } from './kafka-client/client.ts';
import { workWith } from './work-with.ts';

const DEFAULT_PORT = 9092;

/**
 * Connects to Kafka as the flags say, does the work, and closes. A signal ends both.
 *
 * @throws Failure and others with one clear line.
 */
export async function withKafka<T>(
  { values, stop, version }: Pick<Invocation<typeof kafkaOptions>, 'values' | 'stop' | 'version'>,
  work: (client: KafkaClient) => Promise<T>,
): Promise<T> {
  // Any of several brokers will do; they have commas between.
  const addresses = values.address.split(',').map((address) => addressOf(address.trim(), DEFAULT_PORT));
  const client = await KafkaClient.connect(addresses, {
    clientId: values.id,
    softwareVersion: version,
    tls: tlsSettingsOf(values),
    connectTimeoutMs: values['connect-timeout'],
    requestTimeoutMs: values['request-timeout'],
    stop,
  });
  return workWith(client, stop, work);
}
