import type { Broker, Logger } from '../broker/broker.ts';
import { Admission } from '../doors/clients/admission.ts';
import { connectionProblems } from '../doors/clients/connection-problems.ts';
import { doorLog } from '../doors/door-log.ts';
import { FramesDoor } from '../doors/frames/door.ts';
import { FrontDoor } from '../doors/front-door.ts';
import { OpenAddresses } from '../doors/open-addresses.ts';
import * as brokerLimits from '../limits/broker.ts';
import * as doorsLimits from '../limits/doors.ts';
import * as serverLimits from '../limits/server.ts';
import { Fates } from '../observe/fates.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Certificates } from '../transport/certificates.ts';
import type { Connection } from '../transport/connection.ts';
import { DescriptorWatch, descriptorLimit } from '../transport/descriptors.ts';
import type { Endpoint } from '../transport/endpoint.ts';
import { type Listener, listen } from '../transport/listener.ts';
import { Traffic } from '../transport/traffic.ts';
import { type BrokerOptions, type DoorName, listenerOptions, policyOf } from './broker-options.ts';
import { descriptorEvents } from './descriptors.ts';
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
  const connectTimeoutMs = options.connectTimeoutMs ?? doorsLimits.connectTimeoutMs;
  const shutdownTimeoutMs = options.shutdownTimeoutMs ?? serverLimits.shutdownTimeoutMs;
  const admission = new Admission(options.authenticator, policyOf(options));
  const settings = {
    admission,
    maxMessageBytes: options.maxMessageBytes ?? brokerLimits.maxMessageBytes,
    connectTimeoutMs,
    keepAliveMs: options.keepAliveMs ?? doorsLimits.keepAliveMs,
    logs: kept?.logs,
  };
  const listening = { ...listenerOptions(options, certificates), traffic: watchedTraffic(parts) };
  const problemOf = (door: DoorName) => connectionProblems(new Fates(metrics, doorLog(log, door)));
  const addresses = new OpenAddresses();
  const noted = (door: DoorName, listener: Listener) => {
    addresses.add(door, listener.url);
    return listener;
  };
  const listenFor = (door: DoorName, connection: (connection: Connection) => void) => {
    const problem = problemOf(door);
    return async (endpoint: Endpoint) =>
      noted(door, await listen(endpoint, listening, { connection, problem }));
  };

  const frames = new FramesDoor(broker, settings, metrics, doorLog(log, 'frames'));
  const mqtt = await openMqtt(options, broker, kept, settings, metrics, log);
  const frontDoor = new FrontDoor({
    frames,
    mqtt: mqtt.door,
    connectTimeoutMs,
    fates: new Fates(metrics, doorLog(log, 'frames')),
    addresses,
  });
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
  const doors: OpenDoors = { frames: listenFor('frames', (connection) => frontDoor.open(connection)) };
  if (kept === undefined) return doors;

  // Who does not open these two doors does not wait for their code.
  if (options.kafka !== undefined) {
    const { openKafka } = await import('./open-kafka.ts');
    const kafka = await openKafka(
      options.kafka,
      kept,
      admission,
      connectTimeoutMs,
      metrics,
      doorLog(log, 'kafka'),
      addresses,
    );
    opened.add(() => kafka.close(shutdownTimeoutMs));
    doors.kafka = listenFor('kafka', (connection) => kafka.door.open(connection, NOTHING));
  }
  if (options.grpc !== undefined) {
    const { grpc } = options;
    const [{ makeGrpcDoor }, { listenForGrpc }] = await Promise.all([
      import('./open-grpc.ts'),
      import('../doors/grpc/listen.ts'),
    ]);
    const grpcLog = doorLog(log, 'grpc');
    const door = makeGrpcDoor(grpc, { kept, admission, connectTimeoutMs, metrics, log: grpcLog, addresses });
    opened.add(() => door.close(shutdownTimeoutMs));
    const problem = problemOf('grpc');
    doors.grpc = async (endpoint) => noted('grpc', await listenForGrpc(endpoint, listening, door, problem));
  }
  return doors;
}

const NOTHING = new Uint8Array(0);

function watchedTraffic({ metrics, log, opened }: DoorParts): Traffic {
  const limit = descriptorLimit();
  const watch = limit === undefined ? undefined : new DescriptorWatch(limit, descriptorEvents(limit, log));
  opened.add(() => watch?.close());
  const traffic = new Traffic(watch && ((socket) => watch.accepted(socket)));
  metrics.countedElsewhere('bytes_received_total', () => traffic.bytesReceived);
  metrics.countedElsewhere('bytes_sent_total', () => traffic.bytesSent);
  metrics.countedElsewhere('connections_accepted_total', () => traffic.accepted);
  return traffic;
}
