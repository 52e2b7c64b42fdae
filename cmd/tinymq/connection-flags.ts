import type { ConnectionOptions } from 'node:tls';
import type { BrokerAddress } from '../../internal/clients/socket.ts';
import { shownAddress } from '../../internal/lib/shown-address.ts';
import type { Values } from '../cli/options/option.ts';
import { UsageError } from '../cli/options/program.ts';
import { tlsOf } from '../cli/tls-files.ts';
import type { kafkaOptions } from './kafka-flags.ts';

type TlsFlag = 'tls' | 'tls-ca' | 'tls-cert' | 'tls-key' | 'tls-server-name' | 'tls-insecure';

const HOST_AND_PORT = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^\s:/[\]]+))?(?::(\d{1,5}))?\/?$/s;

/** How a protocol is reached. */
export interface Protocol {
  defaultPort: number;
  /** What its addresses may begin with, and whether that means TLS. */
  schemes: Readonly<Record<string, boolean>>;
}

export const KAFKA: Protocol = {
  defaultPort: 9092,
  schemes: { kafka: false, tcp: false, tls: true, plaintext: false, ssl: true },
};

export const SMQ: Protocol = {
  defaultPort: 8097,
  schemes: { grpc: false, grpcs: true, tcp: false, tls: true },
};

/** Where to connect, and how. */
export interface Destination {
  /** Any of them will do. */
  addresses: BrokerAddress[];
  tls: ConnectionOptions | undefined;
}

/**
 * Where the flags lead: one address or several with commas between, each `host:port` or a URL; host and port may be left
 * out.
 *
 * @throws UsageError
 */
export function destinationOf(
  values: Pick<Values<typeof kafkaOptions>, 'address' | TlsFlag>,
  protocol: Protocol,
): Destination {
  const items = values.address.split(',').map((item) => addressOf(item.trim(), protocol));
  const tls =
    tlsSettingsOf(values) ??
    (items.some(({ isSecure }) => isSecure) ? { rejectUnauthorized: true } : undefined);
  return { addresses: items.map(({ host, port }) => ({ host, port })), tls };
}

/** @throws UsageError */
export function addressOf(
  text: string,
  { defaultPort, schemes }: Protocol,
): BrokerAddress & { isSecure: boolean } {
  const [, scheme, rest] = /^(?:([a-z]+):\/\/)?(.*)$/is.exec(text)!;
  const name = scheme?.toLowerCase();
  const shown = shownAddress(text);
  if (name !== undefined && !Object.hasOwn(schemes, name)) {
    throw new UsageError(
      `-address '${shown}' begins with another scheme than ${Object.keys(schemes).join('://, ')}://`,
    );
  }
  const parts = HOST_AND_PORT.exec(rest);
  const port = Number(parts?.[3] ?? defaultPort);
  if (text === '' || parts === null || port < 1 || port > 65_535) {
    throw new UsageError(`-address '${shown}' is not host:port`);
  }
  if (/^\d+$/.test(parts[2] ?? '')) {
    throw new UsageError(
      `-address '${shown}': a port has a colon before it, as in localhost:${defaultPort} or :${defaultPort}`,
    );
  }
  const isSecure = name !== undefined && schemes[name];
  return { host: parts[1] ?? parts[2] ?? 'localhost', port, isSecure };
}

/** What the TLS flags ask for; any of them means TLS. */
function tlsSettingsOf(values: Pick<Values<typeof kafkaOptions>, TlsFlag>): ConnectionOptions | undefined {
  const { ca, cert, key, serverName, insecure } = tlsOf(values);
  if (!values.tls && !insecure && (ca ?? cert ?? serverName) === undefined) return undefined;
  const name = serverName === undefined ? {} : { servername: serverName };
  return { rejectUnauthorized: !insecure, ca, cert, key, ...name };
}
