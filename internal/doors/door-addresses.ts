import { shownAddress } from '../lib/shown-address.ts';
import { type Endpoint, parseEndpoint, type Scheme } from '../transport/endpoint.ts';

/** Whose clients an address is for: tinymq's own and those of MQTT, Kafka's, or those of SMQ. */
export type DoorName = 'frames' | 'kafka' | 'grpc';

/** What the addresses of a door may begin with, and which transport that means. */
const SCHEMES: Record<DoorName, Readonly<Record<string, Scheme>>> = {
  frames: {
    tcp: 'tcp',
    tls: 'tls',
    unix: 'unix',
    ws: 'ws',
    wss: 'wss',
    mqtt: 'tcp',
    mqtts: 'tls',
    ssl: 'tls',
  },
  kafka: { tcp: 'tcp', tls: 'tls', kafka: 'tcp', plaintext: 'tcp', ssl: 'tls' },
  grpc: { tcp: 'tcp', tls: 'tls', unix: 'unix', grpc: 'tcp', grpcs: 'tls' },
};

/** Where the clients of a door look for it when nobody names a port. */
const DEFAULT_PORTS: Record<DoorName, Readonly<Partial<Record<Scheme, number>>>> = {
  frames: { tcp: 1883, tls: 8883, ws: 80, wss: 443 },
  kafka: { tcp: 9092, tls: 9092 },
  grpc: { tcp: 8097, tls: 8097 },
};

/**
 * Reads an address that a door is to listen on, such as `mqtt://localhost` or `kafka://:9092`.
 *
 * @throws Error with a sentence that names the address.
 */
export function doorEndpoint(door: DoorName, url: string): Endpoint {
  const parts = /^([a-z]+):\/\/(.*)$/is.exec(url);
  const known = SCHEMES[door];
  const written = parts?.[1]?.toLowerCase() ?? '';
  if (parts === null || !Object.hasOwn(known, written)) {
    const allowed = Object.keys(known).join('://, ');
    throw new Error(`'${shownAddress(url)}' is not an address to listen on; it begins with ${allowed}://`);
  }
  const scheme = known[written];
  const port = DEFAULT_PORTS[door][scheme];
  return parseEndpoint(`${scheme}://${port === undefined ? parts[2] : withPort(parts[2], port)}`);
}

/** A bare number stays as it is: it is a port whose colon was forgotten, not the name of a host. */
function withPort(address: string, port: number): string {
  const host = /^(\[[^\]]*\]|[^:/[\]]*[^:/[\]\d][^:/[\]]*)\/?$/.exec(address)?.[1];
  return host === undefined ? address : `${host}:${port}`;
}
