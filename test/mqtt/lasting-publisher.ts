import { type Packet, PacketType, type Version } from '../../internal/protocol/mqtt/packet.ts';
import type { BrokerProcess } from '../support/broker-process.ts';
import type { RawMqtt } from './client.ts';
import { connectLasting } from './lasting-broker.ts';

/** A message that a publisher has to get rid of. */
export interface Sent {
  topic: string;
  text: string;
  qos: 1 | 2;
  retain: boolean;
}

interface Open extends Sent {
  packetId: number;
  /** PUBREC came: only PUBREL is sent from then on. */
  isReceived: boolean;
}

/** Unacknowledged messages at once. */
const WINDOW = 20;
const LAST_PACKET_ID = 65_535;

/** A publisher that keeps to the protocol whatever happens to its connections: it sends again what has no answer. */
export class LastingPublisher {
  readonly clientId: string;
  /** In the order of their acknowledgements. */
  readonly acknowledged: Sent[] = [];
  readonly #version: Version;
  readonly #next: (index: number) => Sent;
  #made = 0;
  /** In the order in which they were first sent. */
  #open: Open[] = [];
  #lastPacketId = 0;
  #client: RawMqtt | undefined;

  /** @param next makes the message of a number. */
  constructor(version: Version, clientId: string, next: (index: number) => Sent) {
    this.#version = version;
    this.clientId = clientId;
    this.#next = next;
  }

  /** What was sent and has no answer: it may have happened or not. */
  get open(): readonly Sent[] {
    return this.#open;
  }

  async connect(broker: BrokerProcess): Promise<void> {
    this.drop();
    const { client, sessionPresent } = await connectLasting(broker, this.#version, this.clientId);
    if (!sessionPresent && this.#made > 0) throw new Error(`the session of ${this.clientId} is gone`);
    this.#client = client;
    for (const each of this.#open) {
      if (each.isReceived) client.answer(PacketType.pubrel, each.packetId);
      else this.#send(each, true);
    }
  }

  /** Publishes until so many more are acknowledged; the window stays full. */
  async publish(count: number): Promise<void> {
    const target = this.acknowledged.length + count;
    while (this.acknowledged.length < target) {
      while (this.#open.length < WINDOW) this.#send(this.#newMessage(), false);
      this.#take(await this.#client!.any());
    }
  }

  /** Gets an answer to everything that was sent. */
  async settle(): Promise<void> {
    while (this.#open.length > 0) this.#take(await this.#client!.any());
  }

  drop(): void {
    this.#client?.drop();
    this.#client = undefined;
  }

  #newMessage(): Open {
    const used = new Set(this.#open.map(({ packetId }) => packetId));
    do {
      this.#lastPacketId = (this.#lastPacketId % LAST_PACKET_ID) + 1;
    } while (used.has(this.#lastPacketId));
    const open = { ...this.#next(this.#made++), packetId: this.#lastPacketId, isReceived: false };
    this.#open.push(open);
    return open;
  }

  #send({ topic, text, qos, retain, packetId }: Open, dup: boolean): void {
    this.#client!.publish(topic, text, { qos, retain, packetId, dup });
  }

  #take(packet: Packet): void {
    if (packet.type === PacketType.disconnect) throw new Error(`refused: ${packet.properties.reasonString}`);
    const { packetId, reasonCode } = packet as { packetId: number; reasonCode: number };
    const each = this.#open.find((open) => open.packetId === packetId);
    if (each === undefined) throw new Error(`an answer to nothing: ${JSON.stringify(packet)}`);
    if (packet.type === PacketType.pubrec) {
      if (reasonCode >= 0x80) throw new Error(`refused with ${reasonCode}: ${each.topic}`);
      each.isReceived = true;
      this.#client!.answer(PacketType.pubrel, packetId);
      return;
    }
    const expected = each.qos === 1 ? PacketType.puback : PacketType.pubcomp;
    // 0x92, Packet Identifier not found, is the answer to a PUBREL that was answered before the connection ended.
    const isRefused = reasonCode >= 0x80 && !(packet.type === PacketType.pubcomp && reasonCode === 0x92);
    if (packet.type !== expected || isRefused) throw new Error(`unexpected: ${JSON.stringify(packet)}`);
    this.#open = this.#open.filter((open) => open !== each);
    const { topic, text, qos, retain } = each;
    this.acknowledged.push({ topic, text, qos, retain });
  }
}
