import type { Logger } from '../broker/broker.ts';
import type { Admission } from '../doors/clients/admission.ts';
import { GrpcDoor } from '../doors/grpc/door.ts';
import type { OpenAddresses } from '../doors/open-addresses.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { OpenLogs } from './open-logs.ts';

/** How the gRPC door is opened. Everything but where may be left out. */
export interface GrpcOptions {
  /** Where to listen: `tcp://host:port`, `tls://host:port` or `unix:///path`. Port 0 takes a free one. */
  listen: readonly string[];
  /** The largest message, in bytes. Default: 1 GiB. */
  maxMessageBytes?: number;
  /** Whether clients may change topics. Default: true. */
  allowWrites?: boolean;
}

/** What the door needs beside its own options. */
export interface GrpcParts {
  kept: OpenLogs;
  admission: Admission;
  connectTimeoutMs: number;
  metrics: Metrics;
  log: Logger;
  addresses: OpenAddresses;
}

/** Makes the gRPC door, which listens nowhere yet. */
export function makeGrpcDoor(
  { maxMessageBytes, allowWrites = true }: GrpcOptions,
  { kept, admission, connectTimeoutMs, metrics, log, addresses }: GrpcParts,
): GrpcDoor {
  const { logs, store, delivery } = kept;
  return new GrpcDoor({
    logs,
    metrics,
    log,
    admission,
    addresses,
    settings: {
      connectTimeoutMs,
      allowRemoteWrites: allowWrites,
      ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }),
    },
    onAppended: (topic, batch, source) => delivery.deliver(topic, batch, source),
    isServing: () => store.health().status === 'ready',
  });
}
