import type { ConnectionOptions } from 'node:tls';
import type { Values } from '../../../internal/config/option.ts';
import { UsageError } from '../../../internal/config/program.ts';
import type { smqOptions } from '../../../internal/config/tinymq-smq.ts';
import { tlsOf } from '../../shared/connection.ts';
import type { Invocation } from '../../shared/run-program.ts';
import type { BrokerAddress } from '../kafka-client/socket.ts';
import { SmqClient } from './client.ts';

type SmqValues = Values<typeof smqOptions>;

const DEFAULT_PORT = 8097;

/**
 * Connects to a server of SMQ as the flags say, does the work, and closes. A signal ends both.
 *
 * @throws Failure and others with one clear line.
 */
export async function withSmq<T>(
  { values, stop }: Pick<Invocation<typeof smqOptions>, 'values' | 'stop'>,
  work: (client: SmqClient) => Promise<T>,
): Promise<T> {
  const client = await SmqClient.connect(smqAddressOf(values.address), {
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
 * Reads `host:port`; the port may be left out.
 *
 * @throws UsageError
 */
export function smqAddressOf(text: string): BrokerAddress {
  const parts = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^\s:/[\]]+))?(?::(\d{1,5}))?$/s.exec(text);
  const port = Number(parts?.[3] ?? DEFAULT_PORT);
  if (text === '' || parts === null || port < 1 || port > 65_535) {
    throw new UsageError(`-address '${text}' is not host:port`);
  }
  return { host: parts[1] ?? parts[2] ?? 'localhost', port };
}

/** Any of the TLS flags means TLS. */
function tlsSettingsOf(values: SmqValues): ConnectionOptions | undefined {
  const { ca, cert, key, serverName, insecure } = tlsOf(values);
  const isMeant = values.tls || insecure || (ca ?? cert ?? serverName) !== undefined;
  if (!isMeant) return undefined;
  const name = serverName === undefined ? {} : { servername: serverName };
  return { rejectUnauthorized: !insecure, ca, cert, key, ...name };
}
