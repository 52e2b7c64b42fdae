import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { Failure } from '../lib/failure.ts';
import { hostAndPort } from '../transport/endpoint.ts';

/** Where a broker is. */
export interface BrokerAddress {
  host: string;
  port: number;
}

/** Who a client is for its broker. A secret is asked for at each connection, because tokens end. */
export type ClientCredentials =
  | { readonly user: string; readonly password: () => string }
  | { readonly token: () => string };

/** What every connection of a client has in common. */
export interface ConnectionSettings {
  clientId: string;
  /** The version of this program. */
  softwareVersion: string;
  /** Undefined for nobody in particular. */
  credentials?: ClientCredentials | undefined;
  /** Undefined for no TLS. */
  tls: ConnectionOptions | undefined;
  connectTimeoutMs: number;
  /** How long an answer may take. */
  requestTimeoutMs: number;
  /** Ends what is under way when it is aborted, with its reason. */
  stop: AbortSignal;
}

/** A broker that cannot be reached, or went away. */
export class ConnectionFailure extends Failure {}

/** An address as people write it. */
export function nameOf({ host, port }: BrokerAddress): string {
  return hostAndPort(host, port);
}

/**
 * Connects to a broker, with TLS where it is wanted.
 *
 * @throws ConnectionFailure; the reason of the stop.
 */
export function openSocket(address: BrokerAddress, settings: ConnectionSettings): Promise<Socket> {
  const { host, port } = address;
  const { tls, connectTimeoutMs, stop } = settings;
  const socket =
    tls === undefined
      ? connectTcp({ host, port })
      : connectTls({ servername: /^[\d.]+$|:/.test(host) ? '' : host, ...tls, host, port });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(`no connection within ${connectTimeoutMs} ms`), connectTimeoutMs);
    stop.addEventListener('abort', onStop);
    if (stop.aborted) onStop();
    socket.on('error', onError);
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      settle();
      socket.off('error', onError);
      resolve(socket);
    });

    function onStop(): void {
      settle();
      socket.destroy();
      reject(stop.reason);
    }

    function onError(error: NodeJS.ErrnoException): void {
      fail(REASONS[error.code ?? ''] ?? error.message);
    }

    function fail(why: string): void {
      settle();
      socket.destroy();
      reject(new ConnectionFailure(`cannot connect to ${nameOf(address)}: ${why}`));
    }

    function settle(): void {
      clearTimeout(timer);
      stop.removeEventListener('abort', onStop);
    }
  });
}

const REASONS: Record<string, string | undefined> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ECONNRESET: 'the connection was closed',
};
