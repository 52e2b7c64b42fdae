import { type GrpcDoor, type GrpcDoorOptions, openGrpcDoor } from '../../internal/doors/grpc/door.ts';
import type { Logs } from '../../internal/log/logs.ts';
import { Metrics } from '../../internal/metrics/metrics.ts';
import { KeptLog, openLogs } from '../support/logs.ts';
import type { TryingStore } from '../support/trying-store.ts';
import { TestClient } from './grpc-client.ts';

/** A gRPC door of a test, on logs in memory. */
export interface TestDoor {
  door: GrpcDoor;
  logs: Logs;
  store: TryingStore;
  metrics: Metrics;
  log: KeptLog;
  client: TestClient;
  close(): Promise<void>;
}

export async function openTestDoor(options: Partial<GrpcDoorOptions> = {}): Promise<TestDoor> {
  const { logs, store } = await openLogs();
  const metrics = new Metrics();
  const log = new KeptLog();
  const door = await openGrpcDoor({
    endpoint: { scheme: 'tcp', host: '127.0.0.1', port: 0 },
    logs,
    metrics,
    log,
    ...options,
  });
  const client = new TestClient(door.url);
  return {
    door,
    logs,
    store,
    metrics,
    log,
    client,
    async close() {
      client.close();
      await door.close(0);
      await logs.close();
    },
  };
}
