import { randomUUID } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { PacketCursor } from '../../internal/protocol/mqtt/cursor.ts';
import { decodePacket } from '../../internal/protocol/mqtt/decode.ts';
import { encodePacket } from '../../internal/protocol/mqtt/encode.ts';
import {
  type Connack,
  type Connect,
  type Packet,
  PacketType,
  type Publish,
  type PublishAnswer,
  type Qos,
  type Suback,
  type SubscriptionRequest,
  type Version,
} from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES, type Properties } from '../../internal/protocol/mqtt/properties.ts';
import { patienceMs } from '../support/torture.ts';

const PATIENCE_MS = patienceMs(30_000);
type Ack = 4 | 5 | 6 | 7;
type PacketOf<Type> = Type extends Ack ? PublishAnswer : Extract<Packet, { type: Type }>;

/** An MQTT client that does nothing by itself: a test says each packet that it sends, and looks at each that comes. */
export class RawMqtt {
  readonly stream: Duplex;
  readonly version: Version;
  /** Packets that nobody has looked at. */
  readonly waiting: Packet[] = [];
  /** Whether PUBACK, PUBREC and PUBCOMP are sent by themselves. */
  acknowledges = true;
  hasEnded = false;
  // The beginning of a packet, and how long it has to be to know more about it.
  #chunks: Buffer[] = [];
  #length = 0;
  #wanted = 1;
  #wake: (() => void) | undefined;
  #lastPacketId = 0;

  constructor(stream: Duplex, version: Version) {
    this.stream = stream;
    this.version = version;
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.on('error', () => {});
    for (const event of ['end', 'close']) {
      stream.on(event, () => {
        this.hasEnded = true;
        this.#wake?.();
      });
    }
  }

  send(packet: Packet): void {
    this.stream.write(encodePacket(packet, this.version));
  }

  bytes(hex: string): void {
    this.stream.write(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  }

  /** The next packet, which has to be of a type. */
  async next<Type extends Packet['type']>(type: Type): Promise<PacketOf<Type>> {
    const packet = await this.any();
    if (packet.type !== type) throw new Error(`expected type ${type}, not ${JSON.stringify(packet)}`);
    return packet as PacketOf<Type>;
  }

  /** The next packet, whatever it is. */
  async any(patienceMs = PATIENCE_MS): Promise<Packet> {
    const deadline = Date.now() + patienceMs;
    while (this.waiting.length === 0) {
      if (this.hasEnded) throw new Error('the connection has ended');
      await this.#more(deadline);
    }
    return this.waiting.shift()!;
  }

  /** So many packets as they come, whatever they are. */
  async take(count: number): Promise<Packet[]> {
    const deadline = Date.now() + PATIENCE_MS;
    while (this.waiting.length < count) {
      if (this.hasEnded) throw new Error(`only ${this.waiting.length} of ${count} packets came`);
      await this.#more(deadline);
    }
    return this.waiting.splice(0, count);
  }

  /** The next message, shortened. */
  async message(): Promise<Publish> {
    return this.next(PacketType.publish);
  }

  async messages(count: number): Promise<Publish[]> {
    const messages: Publish[] = [];
    while (messages.length < count) messages.push(await this.message());
    return messages;
  }

  /** The next messages as `topic payload`. */
  async texts(count: number): Promise<string[]> {
    return (await this.messages(count)).map(({ topic, payload }) => `${topic} ${Buffer.from(payload)}`);
  }

  /** Waits until the broker has closed the connection. */
  async ended(): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!this.hasEnded) await this.#more(deadline);
  }

  /** Nothing came before the answer to a ping. */
  async expectSilence(): Promise<void> {
    this.send({ type: PacketType.pingreq });
    await this.next(PacketType.pingresp);
  }

  newPacketId(): number {
    this.#lastPacketId = (this.#lastPacketId % 65_535) + 1;
    return this.#lastPacketId;
  }

  async connect(options: Partial<Connect> = {}): Promise<Connack> {
    this.send({
      type: PacketType.connect,
      version: this.version,
      cleanStart: true,
      keepAliveS: 0,
      clientId: randomUUID(),
      properties: NO_PROPERTIES,
      ...options,
    });
    return this.next(PacketType.connack);
  }

  async subscribe(
    filter: string,
    qos: Qos = 0,
    options: Partial<SubscriptionRequest> = {},
    properties: Properties = NO_PROPERTIES,
  ): Promise<Suback> {
    const packetId = this.newPacketId();
    const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    this.send({
      type: PacketType.subscribe,
      packetId,
      subscriptions: [{ filter, qos, ...plain, ...options }],
      properties,
    });
    const suback = await this.next(PacketType.suback);
    if (suback.packetId !== packetId) throw new Error(`SUBACK of ${suback.packetId}, not ${packetId}`);
    return suback;
  }

  /** Sends a PUBLISH and does not wait. */
  publish(topic: string, payload: string | Uint8Array, options: Partial<Publish> = {}): number {
    const packetId = options.packetId ?? (options.qos ? this.newPacketId() : 0);
    this.send({
      type: PacketType.publish,
      topic,
      payload: Buffer.from(payload as string),
      qos: 0,
      retain: false,
      dup: false,
      properties: NO_PROPERTIES,
      ...options,
      packetId,
    });
    return packetId;
  }

  /** Sends a PUBLISH and waits until the broker is responsible for it; the reason code of its answer. */
  async publishSafely(topic: string, payload: string, options: Partial<Publish> = {}): Promise<number> {
    const packetId = this.publish(topic, payload, { qos: 1, ...options });
    if (options.qos !== 2) return (await this.next(PacketType.puback)).reasonCode;
    const { reasonCode } = await this.next(PacketType.pubrec);
    if (reasonCode >= 0x80) return reasonCode;
    this.answer(PacketType.pubrel, packetId);
    await this.next(PacketType.pubcomp);
    return reasonCode;
  }

  answer(type: Ack, packetId: number, reasonCode = 0): void {
    this.send({ type, packetId, reasonCode, properties: NO_PROPERTIES });
  }

  disconnect(reasonCode = 0, properties: Properties = NO_PROPERTIES): void {
    this.send({ type: PacketType.disconnect, reasonCode, properties });
  }

  /** Ends the connection without DISCONNECT. */
  drop(): void {
    this.stream.destroy();
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#wanted) return;
    const buffer = Buffer.concat(this.#chunks);
    const cursor = new PacketCursor(Number.POSITIVE_INFINITY);
    let at = 0;
    while (cursor.read(buffer, at, buffer.length)) {
      const packet = decodePacket(buffer, cursor, this.version);
      at = cursor.end;
      if (packet.type === PacketType.pubrel && this.acknowledges) {
        this.answer(PacketType.pubcomp, packet.packetId);
        continue;
      }
      this.waiting.push(packet);
      if (packet.type !== PacketType.publish || !this.acknowledges) continue;
      if (packet.qos === 1) this.answer(PacketType.puback, packet.packetId);
      if (packet.qos === 2) this.answer(PacketType.pubrec, packet.packetId);
    }
    const rest = buffer.subarray(at);
    this.#chunks = [rest];
    this.#length = rest.length;
    this.#wanted = cursor.bytesWanted(rest, 0, rest.length);
    this.#wake?.();
  }

  async #more(deadline: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer =
        deadline === Number.POSITIVE_INFINITY
          ? undefined
          : setTimeout(() => reject(new Error('nothing came in time')), Math.max(0, deadline - Date.now()));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}

/** A connection to a broker on tcp, without CONNECT. */
export async function openMqtt(url: string, version: Version): Promise<RawMqtt> {
  const { hostname, port } = new URL(url);
  const socket: Socket = connectTcp({ host: hostname, port: Number(port), noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return new RawMqtt(socket, version);
}

/** A connected client. */
export async function connectMqtt(
  url: string,
  version: Version,
  options: Partial<Connect> = {},
  acknowledges = true,
): Promise<RawMqtt> {
  const client = await openMqtt(url, version);
  client.acknowledges = acknowledges;
  const connack = await client.connect(options);
  if (connack.reasonCode !== 0) throw new Error(`CONNACK with ${connack.reasonCode}`);
  return client;
}
