import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Broker } from '../../internal/broker/broker.ts';
import { Sessions } from '../../internal/broker/sessions.ts';
import { MqttDoor } from '../../internal/doors/mqtt/door.ts';
import { Metrics } from '../../internal/metrics/metrics.ts';
import { PacketCursor } from '../../internal/protocol/mqtt/cursor.ts';
import { decodePacket } from '../../internal/protocol/mqtt/decode.ts';
import { encodePacket } from '../../internal/protocol/mqtt/encode.ts';
import { GOLDEN_PACKETS } from '../../internal/protocol/mqtt/golden-packets.ts';
import { type Packet, PacketType, VERSIONS, type Version } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { FakeConnection } from '../support/fake-connection.ts';
import { anyPacket } from './arbitrary-packets.ts';

const MAX_MESSAGE_BYTES = 64 * 1024;

function openDoor() {
  const errors: object[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => errors.push(fields) };
  const metrics = new Metrics();
  const settings = {
    maxClients: 100,
    channelSize: 1_000,
    channelBytes: 1024 * 1024,
    slowConsumer: 'drop-new' as const,
    slowConsumerWaitMs: 10,
  };
  const broker = new Broker({ settings, metrics, log });
  const limits = { queueMessages: 100, queueBytes: 1024 * 1024 };
  const sessions = new Sessions({ broker, metrics, log, limits, slowConsumerWaitMs: 10 });
  const doorSettings = { maxMessageBytes: MAX_MESSAGE_BYTES, connectTimeoutMs: 60_000, keepAliveMs: 0 };
  const door = new MqttDoor(broker, sessions, doorSettings, metrics, log);
  return { door, sessions, errors };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What a connection was sent, which has to be whole packets of its version. */
function answers(connection: FakeConnection, version: Version): Packet[] {
  const bytes = Buffer.concat(connection.written);
  connection.written.length = 0;
  const cursor = new PacketCursor(Number.POSITIVE_INFINITY);
  const packets: Packet[] = [];
  let at = 0;
  for (; cursor.read(bytes, at, bytes.length); at = cursor.end) {
    packets.push(decodePacket(bytes, cursor, version));
  }
  expect(at).toBe(bytes.length);
  return packets;
}

function connectBytes(version: Version, clientId: string): Uint8Array {
  const connect = { cleanStart: false, keepAliveS: 0, clientId, properties: NO_PROPERTIES };
  return encodePacket({ type: PacketType.connect, version, ...connect }, version);
}

function open(door: MqttDoor, first: Uint8Array): FakeConnection {
  const connection = new FakeConnection();
  door.open(connection, first);
  return connection;
}

describe.each([...VERSIONS])('whatever a client of version %i sends', (version) => {
  const mutation = fc.record({
    at: fc.nat(),
    byte: fc.nat(255),
    how: fc.constantFrom('set', 'insert', 'remove'),
  });
  const seeds = GOLDEN_PACKETS.filter(({ versions }) => versions.includes(version)).map(({ hex }) =>
    Buffer.from(hex.replaceAll(' ', ''), 'hex'),
  );
  const stream = fc
    .tuple(
      fc.array(
        fc.oneof(
          fc.constantFrom(...seeds),
          anyPacket(version).map((packet) => Buffer.from(encodePacket(packet, version))),
        ),
        { minLength: 1, maxLength: 12 },
      ),
      fc.array(mutation, { maxLength: 3 }),
    )
    .map(([packets, changes]) => {
      const bytes = [...Buffer.concat(packets)];
      for (const { at, byte, how } of changes) {
        bytes.splice(at % (bytes.length + 1), how === 'insert' ? 0 : 1, ...(how === 'remove' ? [] : [byte]));
      }
      return Uint8Array.from(bytes);
    });

  it('the broker answers with whole packets or closes, and serves the others as before', async () => {
    const { door, sessions, errors } = openDoor();
    const watcher = open(door, connectBytes(4, 'watcher'));
    const subscribe = {
      type: PacketType.subscribe,
      packetId: 1,
      subscriptions: [
        { filter: 'alive', qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
      ],
      properties: NO_PROPERTIES,
    } satisfies Packet;
    watcher.handler.bytes(encodePacket(subscribe, 4));
    await turn();
    answers(watcher, 4);
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        stream,
        fc.array(fc.nat(), { maxLength: 4 }),
        fc.boolean(),
        async (bytes, cuts, isFirst) => {
          const connection = open(door, isFirst ? new Uint8Array(0) : connectBytes(version, 'fuzz'));
          const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
          for (const [index, end] of ends.entries()) {
            connection.handler.bytes(bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
            if (index % 2 === 0) await turn();
          }
          await turn();
          await turn();
          if (!isFirst) answers(connection, version);
          connection.handler.closed();
          const alive = open(door, connectBytes(4, 'alive'));
          const publish = {
            type: PacketType.publish,
            topic: 'alive',
            payload: Buffer.from(String(++round)),
            qos: 1,
            retain: false,
            dup: false,
            packetId: 1,
            properties: NO_PROPERTIES,
          } satisfies Packet;
          alive.handler.bytes(encodePacket(publish, 4));
          await turn();
          const received = answers(watcher, 4).filter(
            (packet) => packet.type === PacketType.publish && String(packet.payload) === String(round),
          ) as { packetId: number }[];
          expect(received).toHaveLength(1);
          const { packetId } = received[0]!;
          const puback = { type: PacketType.puback, packetId, reasonCode: 0, properties: NO_PROPERTIES };
          watcher.handler.bytes(encodePacket(puback as Packet, 4));
          alive.handler.closed();
          expect(errors).toEqual([]);
        },
      ),
      { numRuns: 400 },
    );
    sessions.close();
    await door.close(0);
  });
});
