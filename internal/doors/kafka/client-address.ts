import type { Connection, HostAndPort } from '../../transport/connection.ts';

/** `127.0.0.1:50123` and `[::1]:50123` without the port. */
export function hostOf(remote: string): string {
  return remote.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

/**
 * The address at which a client reaches the broker again. Not every client can take an IPv6 address in a list of brokers, so it
 * gets the name of this machine, except where only `[::1]` listens: the name is 127.0.0.1 first.
 */
export function reachable({ dialled, listener }: Connection): HostAndPort {
  if (dialled === undefined) return { host: 'localhost', port: 0 };
  const isNamed = dialled.host === '::1' && !listener.includes('[::1]');
  return isNamed ? { host: 'localhost', port: dialled.port } : dialled;
}
