import type { Endpoint } from '../../transport/endpoint.ts';
import { ListenError, type Listener, listen } from '../../transport/listener.ts';
import type { ListenerEvents, ListenerOptions } from '../../transport/listener-options.ts';
import type { GrpcDoor } from './door.ts';

const NOTHING = new Uint8Array(0);

/**
 * Listens for clients of gRPC, on plain sockets with HTTP/2 from the first byte on ("prior knowledge"), and with TLS
 * for those that settle on it (RFC 9113, sections 3.2 and 3.3). The URL begins with `grpc://`, `grpcs://` or `unix://`.
 *
 * @throws ListenError.
 */
export async function listenForGrpc(
  endpoint: Endpoint,
  options: ListenerOptions,
  door: GrpcDoor,
  problem: ListenerEvents['problem'],
): Promise<Listener> {
  const events = {
    connection: (connection) => door.open(connection, NOTHING),
    problem,
  } satisfies ListenerEvents;
  try {
    const listener = await listen(endpoint, { ...options, applicationProtocol: 'h2' }, events);
    return { ...listener, url: grpcUrlOf(listener.url) };
  } catch (error) {
    if (error instanceof ListenError) throw new ListenError(grpcUrlOf(error.url), error.cause as Error);
    throw error;
  }
}

function grpcUrlOf(url: string): string {
  return url.replace(/^tcp:/, 'grpc:').replace(/^tls:/, 'grpcs:');
}
