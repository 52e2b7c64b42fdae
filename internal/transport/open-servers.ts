import type { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server } from 'node:net';

/** How often another free port is asked for, where one is free on one address of `localhost` and taken on the other. */
const FREE_PORT_ATTEMPTS = 10;

/**
 * Connections that wait to be accepted: as many as the system allows (Linux has the last word with `net.core.somaxconn`).
 * A burst that overflows the queue costs its clients seconds of repeated SYNs, and resets those whose handshake the
 * system gives up on.
 */
const BACKLOG = 65_535;

/** Servers that listen on all the addresses of a host. */
export interface OpenServers {
  readonly servers: readonly Server[];
  /** The port of them all. */
  readonly port: number;
}

/**
 * Opens a server on every address of a host, all with the same port: `localhost` means all of its addresses, an empty
 * host those of the machine, port 0 any free port. Where one of them cannot be opened, none stays open.
 *
 * @param make makes a server that does not listen yet.
 * @throws the error of the system.
 */
export async function openHosts(
  { host, port }: { host: string; port: number },
  make: () => Server,
): Promise<OpenServers> {
  for (let attempt = 1; ; attempt++) {
    const servers: Server[] = [];
    try {
      return { servers, port: await openEach(hostsOf(host), port, make, servers) };
    } catch (error) {
      closeServers(servers);
      const isBadLuck = port === 0 && (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!isBadLuck || attempt === FREE_PORT_ATTEMPTS) throw error;
    }
  }
}

function hostsOf(host: string): (string | undefined)[] {
  if (host === '') return [undefined];
  return host === 'localhost' ? ['127.0.0.1', '::1'] : [host];
}

/** @param servers gets those that are open, also where a later one fails. */
async function openEach(
  hosts: readonly (string | undefined)[],
  port: number,
  make: () => Server,
  servers: Server[],
): Promise<number> {
  for (const host of hosts) {
    const server = make();
    if (!(await openUnlessAbsent(server, { host, port }, servers.length > 0))) continue;
    servers.push(server);
    port = (server.address() as AddressInfo).port;
  }
  return port;
}

interface Address {
  host?: string;
  port?: number;
  path?: string;
}

/** A machine without IPv6 has no `::1`; the other address of `localhost` is then enough. */
async function openUnlessAbsent(server: Server, address: Address, mayBeAbsent: boolean): Promise<boolean> {
  try {
    await openServer(server, address);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (mayBeAbsent && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT')) return false;
    throw error;
  }
}

/**
 * Has a server listen.
 *
 * @param onBound runs before the first connection can be accepted.
 * @throws the error of the system.
 */
export function openServer(server: Server, address: Address, onBound?: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...address, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
    if (onBound !== undefined && server.listening) onBound();
  });
}

/** Has servers accept nobody any more; connections that are open stay. */
export function stopAccepting(servers: readonly Server[]): void {
  for (const server of servers) server.close();
}

/** The same, and closes connections of HTTP 1, which are nobody's. */
export function closeServers(servers: readonly Server[]): void {
  for (const server of servers) {
    server.close();
    // Without this, one that has not become a WebSocket would keep the process.
    if ('closeAllConnections' in server) (server as HttpServer).closeAllConnections();
  }
}
