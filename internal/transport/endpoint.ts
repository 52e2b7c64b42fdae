import { shownAddress } from '../lib/shown-address.ts';

export const SCHEMES = ['tcp', 'tls', 'unix', 'ws', 'wss'] as const;
export type Scheme = (typeof SCHEMES)[number];

/** Where to listen: a host and port, or the path of a unix socket. */
export type Endpoint = HostEndpoint | { scheme: 'unix'; path: string };

export interface HostEndpoint {
  scheme: Exclude<Scheme, 'unix'>;
  host: string;
  port: number;
}

/**
 * Reads `tcp://localhost:1883`, `tls://[::1]:8883`, `unix:///tmp/broker.sock`, `ws://:8080`. A missing host means
 * every address of the machine; port 0 means any free port.
 *
 * @throws Error with a sentence that names the URL.
 */
export function parseEndpoint(url: string): Endpoint {
  const parts = /^([a-z]+):\/\/(.*)$/s.exec(url);
  const scheme = SCHEMES.find((known) => known === parts?.[1]);
  if (parts === null || scheme === undefined) {
    throw new Error(
      `'${shownAddress(url)}' is not an address to listen on; it begins with ${SCHEMES.join('://, ')}://`,
    );
  }
  const rest = parts[2];
  if (scheme === 'unix') {
    if (rest === '') throw new Error(`'${url}' names no socket file`);
    return { scheme, path: rest };
  }
  const address = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:/[\]]*)):(\d{1,5})\/?$/.exec(rest);
  const port = Number(address?.[3]);
  if (address === null || port > 65_535)
    throw new Error(`'${shownAddress(url)}' is not an address: ${ruleFor(rest)}`);
  return { scheme, host: address[1] ?? address[2], port };
}

function ruleFor(address: string): string {
  if (/^\d+\/?$/.test(address)) return 'a port has a colon before it, as in localhost:1883 or :1883';
  return 'an address is host:port, with a port up to 65535';
}

/** The URL of an endpoint, with the port that was really taken. */
export function endpointUrl(endpoint: Endpoint, port?: number): string {
  if (endpoint.scheme === 'unix') return `unix://${endpoint.path}`;
  return `${endpoint.scheme}://${hostAndPort(endpoint.host, port ?? endpoint.port)}`;
}

/** `host:port` as in a URL, with an address of IPv6 in brackets. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether TLS is spoken here. */
export function isSecure(endpoint: Endpoint): boolean {
  return endpoint.scheme === 'tls' || endpoint.scheme === 'wss';
}
