import { type Packet, PacketType, type Qos, type Version } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import type { BrokerProcess } from '../support/broker-process.ts';
import type { RawMqtt } from './client.ts';
import { connectLasting } from './lasting-broker.ts';

export interface Delivered {
  topic: string;
  text: string;
  qos: Qos;
}

/** A subscriber that keeps to the protocol whatever happens to its connections, and counts QoS 2 as a client does. */
export class LastingSubscriber {
  readonly clientId: string;
  /** In the order in which they came; with QoS 1 some come twice. */
  readonly delivered: Delivered[] = [];
  readonly #version: Version;
  /** QoS 2 messages that it has and that are not released. */
  readonly #held = new Set<number>();
  readonly #answers = new Map<number, () => void>();
  #client: RawMqtt | undefined;
  #hasConnected = false;
  #receiving: Promise<void> = Promise.resolve();

  constructor(version: Version, clientId: string) {
    this.#version = version;
    this.clientId = clientId;
  }

  /** Connects and takes what comes, until the connection ends. */
  async connect(broker: BrokerProcess): Promise<void> {
    await this.drop();
    const { client, sessionPresent } = await connectLasting(broker, this.#version, this.clientId);
    if (!sessionPresent && this.#hasConnected) throw new Error(`the session of ${this.clientId} is gone`);
    this.#hasConnected = true;
    this.#client = client;
    this.#receiving = this.#receive(client);
  }

  subscribe(filter: string, qos: Qos): Promise<void> {
    const packetId = this.#client!.newPacketId();
    const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    const subscriptions = [{ filter, qos, ...plain }];
    this.#client!.send({ type: PacketType.subscribe, packetId, subscriptions, properties: NO_PROPERTIES });
    return this.#answerTo(packetId);
  }

  unsubscribe(filter: string): Promise<void> {
    const packetId = this.#client!.newPacketId();
    this.#client!.send({
      type: PacketType.unsubscribe,
      packetId,
      filters: [filter],
      properties: NO_PROPERTIES,
    });
    return this.#answerTo(packetId);
  }

  /** Everything that the broker sent up to now has been taken. */
  ping(): Promise<void> {
    this.#client!.send({ type: PacketType.pingreq });
    return this.#answerTo(0);
  }

  async drop(): Promise<void> {
    this.#client?.drop();
    this.#client = undefined;
    await this.#receiving;
  }

  #answerTo(packetId: number): Promise<void> {
    return new Promise((resolve) => {
      this.#answers.set(packetId, resolve);
    });
  }

  async #receive(client: RawMqtt): Promise<void> {
    for (;;) {
      let packet: Packet;
      try {
        packet = await client.any(Number.POSITIVE_INFINITY);
      } catch {
        client.drop();
        return;
      }
      this.#take(client, packet);
    }
  }

  #take(client: RawMqtt, packet: Packet): void {
    switch (packet.type) {
      case PacketType.publish: {
        const { topic, payload, qos, packetId } = packet;
        const isKnown = qos === 2 && this.#held.has(packetId);
        if (!isKnown) this.delivered.push({ topic, text: String(payload), qos });
        if (qos === 2) this.#held.add(packetId);
        if (qos > 0) client.answer(qos === 2 ? PacketType.pubrec : PacketType.puback, packetId);
        break;
      }
      case PacketType.pubrel:
        this.#held.delete(packet.packetId);
        client.answer(PacketType.pubcomp, packet.packetId);
        break;
      case PacketType.suback:
      case PacketType.unsuback:
        this.#answers.get(packet.packetId)?.();
        break;
      case PacketType.pingresp:
        this.#answers.get(0)?.();
    }
  }
}
