import { KafkaClient } from '../../internal/clients/kafka/client.ts';
import { credentialsOf } from '../cli/credentials.ts';
import type { Invocation } from '../cli/run-program.ts';
import { destinationOf, KAFKA } from './connection-flags.ts';
import type { kafkaOptions } from './kafka-flags.ts';
import { workWith } from './work-with.ts';

/**
 * Connects to Kafka as the flags say, does the work, and closes. A signal ends both.
 *
 * @throws Failure and others with one clear line.
 */
export async function withKafka<T>(
  invocation: Pick<Invocation<typeof kafkaOptions>, 'values' | 'stop' | 'version'>,
  work: (client: KafkaClient) => Promise<T>,
): Promise<T> {
  const { values, stop, version } = invocation;
  const { addresses, tls } = destinationOf(values, KAFKA);
  const client = await KafkaClient.connect(addresses, {
    clientId: values.id,
    softwareVersion: version,
    credentials: await credentialsOf(invocation),
    tls,
    connectTimeoutMs: values['connect-timeout'],
    requestTimeoutMs: values['request-timeout'],
    stop,
  });
  return workWith(client, stop, work);
}
