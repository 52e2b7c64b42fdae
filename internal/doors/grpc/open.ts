import type { Door, DoorParts } from '../door.ts';
import { GrpcDoor } from './door.ts';
import { listenForGrpc } from './listen.ts';
import type { GrpcOptions } from './options.ts';

/** Makes the gRPC door on logs that are open. */
export async function openGrpc(parts: DoorParts, options: GrpcOptions): Promise<Door> {
  const { admission, addresses, connections, connectTimeoutMs, metrics, health, logger } = parts;
  const { maxMessageBytes, allowWrites = true } = options;
  const { logs, delivery } = parts.kept!;
  const door = new GrpcDoor({
    logs,
    metrics,
    spans: parts.broker.spans,
    fates: parts.broker.fates.logging(logger),
    connections,
    log: logger,
    admission,
    addresses,
    settings: {
      connectTimeoutMs,
      allowRemoteWrites: allowWrites,
      ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }),
    },
    settled: (partition) => delivery.settled(partition),
    isServing: () => health.isReady,
  });
  return {
    name: door.name,
    open: (connection, first) => door.open(connection, first),
    listen: (endpoint, listening, problem) => listenForGrpc(endpoint, listening, door, problem),
    close: (timeoutMs) => door.close(timeoutMs),
  };
}
