import type { ConnectionOptions } from 'node:tls';
import type { Values } from '../../internal/config/option.ts';
import { UsageError } from '../../internal/config/program.ts';
import type { kafkaOptions } from '../../internal/config/tinymq-kafka.ts';
import { tlsOf } from '../shared/connection.ts';
import type { Invocation } from '../shared/run-program.ts';
import { KafkaClient } from './kafka-client/client.ts';
import type { BrokerAddress } from './kafka-client/socket.ts';

type KafkaValues = Values<typeof kafkaOptions>;

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
  const client = await KafkaClient.connect(addressesOf(values.address), {
    clientId: values.id,
    softwareVersion: version,
    tls: tlsSettingsOf(values),
    connectTimeoutMs: values['connect-timeout'],
    requestTimeoutMs: values['request-timeout'],
    stop,
  });
  const end = () => client.close(stop.reason);
  stop.addEventListener('abort', end, { once: true });
  if (stop.aborted) end();
  try {
    return await work(client);
  } finally {
    stop.removeEventListener('abort', end);
    client.close();
  }
}

/**
 * Reads `host:port`, or several of them with commas between.
 *
 * @throws UsageError
 */
export function addressesOf(text: string): BrokerAddress[] {
  return text.split(',').map((part) => {
    const address = part.trim();
    const parts = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^\s:/[\]]+))?(?::(\d{1,5}))?$/s.exec(address);
    const port = Number(parts?.[3] ?? DEFAULT_PORT);
    if (address === '' || parts === null || port < 1 || port > 65_535) {
      throw new UsageError(`-address '${address}' is not host:port`);
    }
    return { host: parts[1] ?? parts[2] ?? 'localhost', port };
  });
}

/** Any of the TLS flags means TLS. */
function tlsSettingsOf(values: KafkaValues): ConnectionOptions | undefined {
  const { ca, cert, key, serverName, insecure } = tlsOf(values);
  if (!values.tls && !insecure && (ca ?? cert ?? serverName) === undefined) return undefined;
  const verifies = { rejectUnauthorized: !insecure };
  return { ...verifies, ca, cert, key, ...(serverName === undefined ? {} : { servername: serverName }) };
}
