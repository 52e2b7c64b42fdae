import { shownAddress } from '../lib/shown-address.ts';
import { type Endpoint, parseEndpoint } from '../transport/endpoint.ts';
import type { OwnPort } from './door.ts';

/**
 * Reads an address that a door is to listen on, such as `mqtt://localhost` or `kafka://:9092`.
 *
 * @throws Error with a sentence that names the address.
 */
export function doorEndpoint({ schemes, defaultPorts }: OwnPort, url: string): Endpoint {
  const parts = /^([a-z]+):\/\/(.*)$/is.exec(url);
  const written = parts?.[1]?.toLowerCase() ?? '';
  if (parts === null || !Object.hasOwn(schemes, written)) {
    const allowed = Object.keys(schemes).join('://, ');
    throw new Error(`'${shownAddress(url)}' is not an address to listen on; it begins with ${allowed}://`);
  }
  const [, , place = ''] = parts;
  const scheme = schemes[written]!;
  const port = defaultPorts[scheme];
  return parseEndpoint(`${scheme}://${port === undefined ? place : withPort(place, port)}`);
}

/** A bare number stays as it is: it is a port whose colon was forgotten, not the name of a host. */
function withPort(address: string, port: number): string {
  const host = /^(\[[^\]]*\]|[^:/[\]]*[^:/[\]\d][^:/[\]]*)\/?$/.exec(address)?.[1];
  return host === undefined ? address : `${host}:${port}`;
}
