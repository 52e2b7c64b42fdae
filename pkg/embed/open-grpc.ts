import type { Guard } from '../../internal/access/guard.ts';
import type { Logger } from '../../internal/broker/broker.ts';
import { type GrpcDoor, openGrpcDoor } from '../../internal/doors/grpc/door.ts';
import { runtimeProblem } from '../../internal/doors/grpc/runtime.ts';
import type { Metrics } from '../../internal/metrics/metrics.ts';
import type { Certificates } from '../../internal/transport/certificates.ts';
import { endpointUrl, type HostEndpoint } from '../../internal/transport/endpoint.ts';
import { ListenError } from '../../internal/transport/listener.ts';
import type { Traffic } from '../../internal/transport/traffic.ts';
import type { OpenLogs } from './open-logs.ts';

/** How the gRPC door is opened. Everything but where may be left out. */
export interface GrpcOptions {
  /** Where to listen: `tcp://host:port` or `tls://host:port`. Port 0 takes a free one. */
  listen: readonly string[];
  /** The largest message, in bytes. Default: 1 GiB. */
  maxMessageBytes?: number;
  /** Whether clients may change topics. Default: true. */
  allowWrites?: boolean;
}

/** What the door needs beside its own options. */
export interface GrpcParts {
  kept: OpenLogs;
  certificates: Certificates | undefined;
  traffic: Traffic;
  guard: Guard | undefined;
  maxConnections: number;
  connectTimeoutMs: number;
  metrics: Metrics;
  log: Logger;
}

/**
 * Opens the gRPC door at one of its addresses.
 *
 * @throws ListenError, also where this runtime cannot do it safely.
 */
export function openGrpc(
  endpoint: HostEndpoint,
  { maxMessageBytes, allowWrites = true }: GrpcOptions,
  { kept, certificates, traffic, guard, maxConnections, connectTimeoutMs, metrics, log }: GrpcParts,
): Promise<GrpcDoor> {
  const problem = runtimeProblem();
  if (problem !== undefined) throw new ListenError(endpointUrl(endpoint), new Error(problem));
  const { logs, store, delivery } = kept;
  return openGrpcDoor({
    endpoint,
    certificates,
    traffic,
    logs,
    metrics,
    log,
    guard,
    settings: {
      maxConnections,
      connectTimeoutMs,
      allowRemoteWrites: allowWrites,
      ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }),
    },
    onAppended: (topic, batch, source) => delivery.deliver(topic, batch, source),
    isServing: () => store.health().status === 'ready',
  });
}
