import type { ConnectionOptions } from 'node:tls';
import type { Values } from '../../internal/config/option.ts';
import { UsageError } from '../../internal/config/program.ts';
import type { kafkaOptions } from '../../internal/config/tinymq-kafka.ts';
import { tlsOf } from '../shared/connection.ts';
import type { BrokerAddress } from './kafka-client/socket.ts';

type TlsFlag = 'tls' | 'tls-ca' | 'tls-cert' | 'tls-key' | 'tls-server-name' | 'tls-insecure';

const HOST_AND_PORT = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^\s:/[\]]+))?(?::(\d{1,5}))?$/s;

/**
 * Reads `host:port`; either may be left out.
 *
 * @throws UsageError
 */
export function addressOf(text: string, defaultPort: number): BrokerAddress {
  const parts = HOST_AND_PORT.exec(text);
  const port = Number(parts?.[3] ?? defaultPort);
  if (text === '' || parts === null || port < 1 || port > 65_535) {
    throw new UsageError(`-address '${text}' is not host:port`);
  }
  return { host: parts[1] ?? parts[2] ?? 'localhost', port };
}

/**
 * What the TLS flags ask for; any of them means TLS.
 *
 * @throws UsageError where a file cannot be read, or one belongs to another that is missing.
 */
export function tlsSettingsOf(
  values: Pick<Values<typeof kafkaOptions>, TlsFlag>,
): ConnectionOptions | undefined {
  const { ca, cert, key, serverName, insecure } = tlsOf(values);
  if (!values.tls && !insecure && (ca ?? cert ?? serverName) === undefined) return undefined;
  const name = serverName === undefined ? {} : { servername: serverName };
  return { rejectUnauthorized: !insecure, ca, cert, key, ...name };
}
