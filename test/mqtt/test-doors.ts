import { Broker } from '../../internal/broker/broker.ts';
import { Sessions } from '../../internal/broker/sessions/sessions.ts';
import { FramesDoor } from '../../internal/doors/frames/door.ts';
import { MqttDoor } from '../../internal/doors/mqtt/door.ts';
import { Metrics } from '../../internal/observe/metrics.ts';
import { encodeFrame, FrameType } from '../../internal/protocol/frame/frame.ts';
import { encodePacket } from '../../internal/protocol/mqtt/encode.ts';
import { PacketType, type Qos, type Version } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { withEndlessTurn } from '../support/endless-turn.ts';
import { FakeConnection } from '../support/fake-connection.ts';

export const MAX_MESSAGE_BYTES = 64 * 1024;

/** A client without a socket. */
export interface TestClient {
  readonly connection: FakeConnection;
  send(bytes: Uint8Array): void;
  subscribe(filter: string, qos: Qos): void;
  /** What was written to it since the last call. */
  takeBytes(): Buffer;
}

/** A broker with both doors of its port and without listeners, timers that matter, or a store. */
export interface TestDoors {
  readonly door: MqttDoor;
  readonly broker: Broker;
  readonly sessions: Sessions;
  /** What was logged as an error: a bug. */
  readonly errors: readonly object[];
  open(first: Uint8Array): FakeConnection;
  connect(speaks: Version | 'frames', clientId: string): Promise<TestClient>;
  turn(): Promise<void>;
  close(): Promise<void>;
}

export function openDoors(): TestDoors {
  const errors: object[] = [];
  const logger = { debug() {}, info() {}, warn() {}, error: (fields: object) => errors.push(fields) };
  const metrics = new Metrics();
  const settings = {
    maxClients: 100,
    channelSize: 1_000,
    channelBytes: 1024 * 1024,
    slowConsumer: 'drop-new' as const,
    slowConsumerWaitMs: 10,
  };
  const broker = withEndlessTurn(new Broker({ settings, metrics, logger }));
  const limits = { queueMessages: 100, queueBytes: 1024 * 1024 };
  const sessions = new Sessions({ broker, metrics, logger, limits, slowConsumerWaitMs: 10 });
  const bounds = { maxMessageBytes: MAX_MESSAGE_BYTES, connectTimeoutMs: 60_000, keepAliveMs: 0 };
  const parts = { broker, sessions, metrics, logger, ...bounds };
  const door = new MqttDoor(parts);
  const frames = new FramesDoor(parts);

  function open(first: Uint8Array): FakeConnection {
    const connection = new FakeConnection();
    door.open(connection, first);
    return connection;
  }

  async function turn(): Promise<void> {
    for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
  }

  async function connect(speaks: Version | 'frames', clientId: string): Promise<TestClient> {
    const connection = new FakeConnection();
    if (speaks === 'frames') frames.open(connection, encodeFrame(FrameType.connect, '', '', clientId));
    else door.open(connection, connectBytes(speaks, clientId));
    const client = clientOf(connection, speaks, clientId);
    await turn();
    client.takeBytes();
    return client;
  }

  async function close(): Promise<void> {
    sessions.close();
    await Promise.all([door.close(0), frames.close(0)]);
  }

  return { door, broker, sessions, errors, open, connect, turn, close };
}

export function connectBytes(version: Version, clientId: string, cleanStart = false): Uint8Array {
  const connect = { cleanStart, keepAliveS: 0, clientId, properties: NO_PROPERTIES };
  return encodePacket({ type: PacketType.connect, version, ...connect }, version);
}

export function subscribeBytes(version: Version, filter: string, qos: Qos): Uint8Array {
  const subscription = { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  const properties = NO_PROPERTIES;
  return encodePacket(
    { type: PacketType.subscribe, packetId: 1, subscriptions: [subscription], properties },
    version,
  );
}

function clientOf(connection: FakeConnection, speaks: Version | 'frames', clientId: string): TestClient {
  return {
    connection,
    send: (bytes) => connection.handler.bytes(bytes),
    subscribe(filter, qos) {
      const bytes =
        speaks === 'frames'
          ? encodeFrame(FrameType.subscribe, filter, '', clientId)
          : subscribeBytes(speaks, filter, qos);
      connection.handler.bytes(bytes);
    },
    takeBytes() {
      const bytes = Buffer.concat(connection.written);
      connection.written.length = 0;
      return bytes;
    },
  };
}
