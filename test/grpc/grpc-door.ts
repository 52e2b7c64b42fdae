import { connectionProblems } from '../../internal/doors/clients/connection-problems.ts';
import { GrpcDoor, type GrpcDoorParts } from '../../internal/doors/grpc/door.ts';
import { listenForGrpc } from '../../internal/doors/grpc/listen.ts';
import type { Clock } from '../../internal/lib/clock.ts';
import type { Logs } from '../../internal/log/logs.ts';
import { Connections } from '../../internal/observe/connections.ts';
import { Fates } from '../../internal/observe/fates.ts';
import { Metrics } from '../../internal/observe/metrics.ts';
import type { Certificates } from '../../internal/transport/certificates.ts';
import type { Endpoint } from '../../internal/transport/endpoint.ts';
import type { ListenerOptions } from '../../internal/transport/listener-options.ts';
import { KeptLog, openLogs } from '../support/logs.ts';
import type { TryingStore } from '../support/trying-store.ts';
import { TestClient } from './grpc-client.ts';

/** How the door of a test is opened. */
export interface TestDoorOptions extends Partial<GrpcDoorParts> {
  endpoint?: Endpoint;
  certificates?: Certificates;
  clock?: Clock;
}

/** A gRPC door of a test, which listens, on logs in memory. */
export interface TestDoor {
  door: { readonly url: string; close(timeoutMs: number): Promise<void> };
  logs: Logs;
  store: TryingStore;
  metrics: Metrics;
  log: KeptLog;
  client: TestClient;
  close(): Promise<void>;
}

const LISTENER: ListenerOptions = {
  socketMode: 0o600,
  maxConnections: 10_000,
  handshakeTimeoutMs: 10_000,
  lingerMs: 500,
  tcpKeepAliveAfterMs: 60_000,
  highWaterMarkBytes: 128 * 1024,
  webSocket: { origins: [], maxMessageBytes: 1, subprotocols: [] },
};

export async function openTestDoor({
  endpoint = { scheme: 'tcp', host: '127.0.0.1', port: 0 },
  certificates,
  clock,
  ...options
}: TestDoorOptions = {}): Promise<TestDoor> {
  const { logs, store } = await openLogs({ clock });
  const metrics = new Metrics();
  const log = new KeptLog();
  const connections = new Connections(metrics);
  // As the assembly of a broker does it.
  options.admission?.policy.onChange(() => connections.recheckAccess());
  const door = new GrpcDoor({ logs, metrics, connections, log, ...options });
  const handshakeTimeoutMs = options.settings?.connectTimeoutMs ?? LISTENER.handshakeTimeoutMs;
  const listening = { ...LISTENER, certificates, handshakeTimeoutMs };
  const listener = await listenForGrpc(
    endpoint,
    listening,
    door,
    connectionProblems(new Fates(metrics, log)),
  );
  const close = async (timeoutMs: number) => {
    listener.close();
    await door.close(timeoutMs);
  };
  const client = new TestClient(listener.url);
  return {
    door: { url: listener.url, close },
    logs,
    store,
    metrics,
    log,
    client,
    async close() {
      client.close();
      await close(0);
      await logs.close();
    },
  };
}
