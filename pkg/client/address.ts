import { shownAddress } from '../../internal/lib/shown-address.ts';
import { TinymqError } from './errors.ts';

export const NETWORKS = ['tcp', 'tls', 'unix', 'ws', 'wss'] as const;
export type Network = (typeof NETWORKS)[number];

/** Where a broker with a unix socket listens, and its clients look for it, unless told otherwise. */
export const DEFAULT_SOCKET_PATH = '/tmp/broker.sock';

/** Where a broker listens. */
export type Address =
  | { network: 'tcp' | 'tls' | 'ws' | 'wss'; host: string; port: number; path: string }
  | { network: 'unix'; path: string };

/** What other programs call some of them. */
const OTHER_NAMES = new Map<string, Network>([
  ['mqtt', 'tcp'],
  ['mqtts', 'tls'],
  ['ssl', 'tls'],
]);

const DEFAULT_PORTS = { tcp: 1883, tls: 8883, ws: 80, wss: 443 };

/**
 * Reads a URL (`tcp://localhost:1883`, `mqtt://localhost`, `tls://…`, `unix:///tmp/broker.sock`, `ws://host:port/path`).
 *
 * @throws TinymqError `invalid-address`.
 */
export function parseUrl(url: string): Address {
  const parts = /^([a-z]+):\/\/(.*)$/is.exec(url);
  const scheme = parts?.[1]?.toLowerCase() ?? '';
  const network = NETWORKS.find((known) => known === scheme) ?? OTHER_NAMES.get(scheme);
  if (parts === null || network === undefined) {
    throw invalid(url, `an address begins with ${[...NETWORKS, 'mqtt', 'mqtts'].join('://, ')}://`);
  }
  return parseAddress(network, parts[2]);
}

/**
 * Reads the pair of the command line: `tcp` and `localhost:1883`, `unix` and `/tmp/broker.sock`. A missing host is
 * this machine, a missing port the network's usual one.
 *
 * @throws TinymqError `invalid-address`.
 */
export function parseAddress(network: Network, address: string): Address {
  if (network === 'unix') {
    if (address === '') throw invalid(address, 'a unix address is the path of a socket file');
    return { network, path: address };
  }
  const parts = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^:/[\]]*))(?::(\d{1,5}))?(\/.*)?$/s.exec(address);
  if (/^\d+$/.test(address))
    throw invalid(address, 'a port has a colon before it, as in localhost:1883 or :1883');
  const port = Number(parts?.[3] ?? DEFAULT_PORTS[network]);
  if (parts === null || port < 1 || port > 65_535) throw invalid(address, 'an address is host:port');
  const isWebSocket = network === 'ws' || network === 'wss';
  if (parts[4] !== undefined && parts[4] !== '/' && !isWebSocket)
    throw invalid(address, 'an address is host:port');
  return { network, host: parts[1] ?? (parts[2] || 'localhost'), port, path: parts[4] ?? '/' };
}

/** The URL of an address. */
export function urlOf(address: Address): string {
  if (address.network === 'unix') return `unix://${address.path}`;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  const path = address.path === '/' ? '' : address.path;
  return `${address.network}://${host}:${address.port}${path}`;
}

function invalid(address: string, rule: string): TinymqError {
  return new TinymqError('invalid-address', `'${shownAddress(address)}' is not an address: ${rule}`);
}
