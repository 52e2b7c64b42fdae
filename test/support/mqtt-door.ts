import { Broker } from '../../internal/broker/broker.ts';
import { Sessions } from '../../internal/broker/sessions/sessions.ts';
import { MqttDoor } from '../../internal/doors/mqtt/door.ts';
import { Capture } from '../../internal/live/capture.ts';
import type { LogsOptions } from '../../internal/log/logs.ts';
import { Metrics } from '../../internal/observe/metrics.ts';
import { restoreSessions } from '../../internal/persistence/restore-sessions.ts';
import { SessionKeeper } from '../../internal/persistence/session-keeper.ts';
import { PacketCursor } from '../../internal/protocol/mqtt/cursor.ts';
import { decodePacket } from '../../internal/protocol/mqtt/decode.ts';
import { encodePacket } from '../../internal/protocol/mqtt/encode.ts';
import {
  type Connect,
  type Packet,
  PacketType,
  type Publish,
  type Qos,
  type Version,
} from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { withEndlessTurn } from './endless-turn.ts';
import { FakeConnection } from './fake-connection.ts';
import { HeldEntries } from './held-entries.ts';
import { openLogs, turn } from './logs.ts';
import type { TryingStore } from './trying-store.ts';

/** Turns after which nothing is on its way any more that no store holds back. */
const TURNS = 10;

/**
 * A door of MQTT with its broker, its sessions in `entries`, and its logs in `store`, both of which a test can hold back:
 * topics below `own` have a log each, those below `one` share the log `all`.
 */
export async function mqttDoor(
  options: { entries?: HeldEntries; store?: TryingStore } & Partial<LogsOptions> = {},
) {
  const { entries = new HeldEntries(), store: given, ...logsOptions } = options;
  const metrics = new Metrics();
  const { logs, store, log } = await openLogs(logsOptions, given);
  const settings = {
    maxClients: 100,
    channelSize: 1000,
    channelBytes: 1e9,
    slowConsumer: 'drop-new' as const,
    slowConsumerWaitMs: 60_000,
  };
  const keeper = new SessionKeeper(entries, log);
  const broker = withEndlessTurn(new Broker({ settings, metrics, logger: log, retainedStore: keeper }));
  broker.attach('own/#', new Capture({ logs, metrics, log, isWanted: (topic) => topic.startsWith('own/') }));
  const isOfOne = (topic: string) => topic.startsWith('one/');
  broker.attach('one/#', new Capture({ logs, metrics, log, logName: 'all', isWanted: isOfOne }));
  const limits = { queueMessages: 1000, queueBytes: 1e6 };
  const sessions = new Sessions({
    broker,
    metrics,
    logger: log,
    limits,
    slowConsumerWaitMs: 10,
    store: keeper,
  });
  await restoreSessions({ store: entries, keeper, sessions, broker, logger: log });
  const door = new MqttDoor({
    ...{ broker, sessions, metrics, logger: log, logs },
    ...{ maxMessageBytes: 1e6, connectTimeoutMs: 60_000, keepAliveMs: 0 },
  });

  /** A client that has its CONNACK. */
  async function connected(version: Version, connect: Partial<Connect> = {}): Promise<DoorClient> {
    const client = connecting(version, connect);
    await client.packets();
    return client;
  }

  function connecting(version: Version, connect: Partial<Connect>): DoorClient {
    const client = new DoorClient(version);
    door.open(client.connection, new Uint8Array(0));
    client.send({
      type: PacketType.connect,
      version,
      cleanStart: true,
      keepAliveS: 0,
      clientId: 'client',
      properties: NO_PROPERTIES,
      ...connect,
    });
    return client;
  }

  async function close(): Promise<void> {
    await door.close(0);
    sessions.close();
    keeper.close();
    await logs.close();
  }

  return { broker, door, sessions, keeper, logs, store, entries, metrics, log, connecting, connected, close };
}

/** A client whose packets a test puts in, and looks at what comes out, without a socket. */
export class DoorClient {
  readonly connection = new FakeConnection();
  readonly version: Version;

  constructor(version: Version) {
    this.version = version;
  }

  /** Sends packets in one chunk. */
  send(...packets: Packet[]): void {
    const bytes = packets.map((packet) => encodePacket(packet, this.version));
    this.connection.handler.bytes(new Uint8Array(Buffer.concat(bytes)));
  }

  publish(topic: string, qos: Qos, packetId: number, more: Partial<Publish> = {}): void {
    this.send(publishPacket(topic, qos, packetId, more));
  }

  /** What was written since the last call, when all is done that no store holds back. */
  async packets(): Promise<Packet[]> {
    for (let count = 0; count < TURNS; count++) await turn();
    const bytes = new Uint8Array(Buffer.concat(this.connection.written));
    this.connection.written.length = 0;
    const cursor = new PacketCursor(Number.POSITIVE_INFINITY);
    const packets: Packet[] = [];
    for (let at = 0; cursor.read(bytes, at, bytes.length); at = cursor.end) {
      packets.push(decodePacket(bytes, cursor, this.version));
    }
    return packets;
  }

  /** The same as short texts: `puback 7`, `pubrec 8 0x83`, `publish a/b x`. */
  async shown(): Promise<string[]> {
    return (await this.packets()).map(shown);
  }

  /** The connection ends without DISCONNECT. */
  drop(): void {
    this.connection.handler.closed();
  }
}

export function publishPacket(
  topic: string,
  qos: Qos,
  packetId: number,
  more: Partial<Publish> = {},
): Publish {
  const payload = Buffer.from(`${packetId}`);
  const properties = NO_PROPERTIES;
  return {
    type: PacketType.publish,
    topic,
    payload,
    qos,
    packetId,
    retain: false,
    dup: false,
    properties,
    ...more,
  };
}

function shown(packet: Packet): string {
  const [name] = Object.entries(PacketType).find(([, type]) => type === packet.type)!;
  if (packet.type === PacketType.publish) return `${name} ${packet.topic} ${Buffer.from(packet.payload)}`;
  const { packetId, reasonCode = 0 } = packet as { packetId?: number; reasonCode?: number };
  const code = reasonCode === 0 ? '' : `0x${reasonCode.toString(16)}`;
  return [name, packetId, code].filter((part) => part !== undefined && part !== '').join(' ');
}
