import type { Broker, Logger } from '../../internal/broker/broker.ts';
import { Admission } from '../../internal/doors/admission.ts';
import { connectionProblems } from '../../internal/doors/connection-problems.ts';
import { FramesDoor } from '../../internal/doors/frames/door.ts';
import { FrontDoor } from '../../internal/doors/front-door.ts';
import * as limits from '../../internal/limits.ts';
import type { Metrics } from '../../internal/metrics/metrics.ts';
import type { Certificates } from '../../internal/transport/certificates.ts';
import type { Connection } from '../../internal/transport/connection.ts';
import type { Endpoint } from '../../internal/transport/endpoint.ts';
import { type Listener, listen } from '../../internal/transport/listener.ts';
import { Traffic } from '../../internal/transport/traffic.ts';
import { type BrokerOptions, type DoorName, listenerOptions, policyOf } from './broker-options.ts';
import type { OpenLogs } from './open-logs.ts';
import { openMqtt } from './open-mqtt.ts';
import type { Opened } from './opened.ts';

/** What opens a listener of a door. Without logs there are no doors to them. */
export type OpenDoors = Partial<Record<DoorName, (endpoint: Endpoint) => Promise<Listener>>>;

/** What the doors of a broker are made from. */
export interface DoorParts {
  options: BrokerOptions;
  broker: Broker;
  kept: OpenLogs | undefined;
  metrics: Metrics;
  log: Logger;
  certificates: Certificates | undefined;
  opened: Opened;
}

/**
 * Makes the doors that the options name; what they have open is closed with the rest of the broker.
 *
 * @throws StoreError where what a door keeps cannot be read; Error where an option is wrong.
 */
export async function openDoors(parts: DoorParts): Promise<OpenDoors> {
  const { options, broker, kept, metrics, log, certificates, opened } = parts;
  const connectTimeoutMs = options.connectTimeoutMs ?? limits.connectTimeoutMs;
  const shutdownTimeoutMs = options.shutdownTimeoutMs ?? limits.shutdownTimeoutMs;
  const admission = new Admission(options.authenticator, policyOf(options));
  const settings = {
    admission,
    maxMessageBytes: options.maxMessageBytes ?? limits.maxMessageBytes,
    connectTimeoutMs,
    keepAliveMs: options.keepAliveMs ?? limits.keepAliveMs,
    logs: kept?.logs,
  };
  const problem = connectionProblems(metrics, log);
  const listening = { ...listenerOptions(options, certificates), traffic: countedTraffic(metrics) };
  const listenFor = (connection: (connection: Connection) => void) => (endpoint: Endpoint) =>
    listen(endpoint, listening, { connection, problem });

  const frames = new FramesDoor(broker, settings, metrics, log);
  const mqtt = await openMqtt(options, broker, kept, settings, metrics, log);
  const frontDoor = new FrontDoor(frames, mqtt.door, connectTimeoutMs, log);
  opened.add(() => mqtt.close());
  const { policy } = admission;
  opened.add(
    policy.onChange(() => {
      broker.recheckAccess();
      mqtt.sessions.recheckAccess(policy);
    }),
  );
  opened.add(async () => {
    await Promise.all([frames.close(shutdownTimeoutMs), mqtt.door.close(shutdownTimeoutMs)]);
  });
  opened.add(() => frontDoor.close());
  const doors: OpenDoors = { frames: listenFor((connection) => frontDoor.open(connection)) };
  if (kept === undefined) return doors;

  // Who does not open these two doors does not wait for their code.
  if (options.kafka !== undefined) {
    const { openKafka } = await import('./open-kafka.ts');
    const kafka = await openKafka(options.kafka, kept, admission, connectTimeoutMs, metrics, log);
    opened.add(() => kafka.close(shutdownTimeoutMs));
    doors.kafka = listenFor((connection) => kafka.door.open(connection, NOTHING));
  }
  if (options.grpc !== undefined) {
    const { grpc, guard } = options;
    const [{ makeGrpcDoor }, { listenForGrpc }] = await Promise.all([
      import('./open-grpc.ts'),
      import('../../internal/doors/grpc/listen.ts'),
    ]);
    const door = makeGrpcDoor(grpc, { kept, guard, connectTimeoutMs, metrics, log });
    opened.add(() => door.close(shutdownTimeoutMs));
    doors.grpc = (endpoint) => listenForGrpc(endpoint, listening, door, problem);
  }
  return doors;
}

const NOTHING = new Uint8Array(0);

function countedTraffic(metrics: Metrics): Traffic {
  const traffic = new Traffic();
  metrics.gauge('bytes_received_total', 'Bytes read from sockets.', () => traffic.bytesReceived);
  metrics.gauge('bytes_sent_total', 'Bytes written to sockets.', () => traffic.bytesSent);
  metrics.gauge('connections_accepted_total', 'Connections that were accepted.', () => traffic.accepted);
  return traffic;
}
