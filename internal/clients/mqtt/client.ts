import type { Socket } from 'node:net';
import { Failure } from '../../lib/failure.ts';
import { PacketCursor } from '../../protocol/mqtt/cursor.ts';
import { decodePacket } from '../../protocol/mqtt/decode.ts';
import { encodePacket } from '../../protocol/mqtt/encode.ts';
import { MqttError } from '../../protocol/mqtt/mqtt-error.ts';
import { type Packet, PacketType, type Qos } from '../../protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../protocol/mqtt/properties.ts';
import { FIRST_FAILURE, reasonName } from '../../protocol/mqtt/reason-codes.ts';
import {
  type BrokerAddress,
  ConnectionFailure,
  type ConnectionSettings,
  nameOf,
  openSocket,
} from '../socket.ts';

const VERSION = 5;
const PACKET_IDS = 65_535;

/** A client of MQTT 5 without a session that lasts: it subscribes, and publishes with QoS 0 or 1. */
export class MqttClient {
  /** Told of each message. */
  onMessage: (payload: Uint8Array) => void = () => {};
  /** Told of each message that the broker has acknowledged. */
  onAcknowledged: () => void = () => {};
  readonly #socket: Socket;
  readonly #name: string;
  readonly #requestTimeoutMs: number;
  readonly #cursor = new PacketCursor(Number.POSITIVE_INFINITY);
  readonly #ended = Promise.withResolvers<never>();
  #answered: PromiseWithResolvers<number> | undefined;
  #rest: Uint8Array = new Uint8Array(0);
  #lastPacketId = 0;

  private constructor(socket: Socket, name: string, requestTimeoutMs: number) {
    this.#socket = socket;
    this.#name = name;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#ended.promise.catch(() => {});
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(error.message));
    socket.on('close', () => this.#fail('the broker closed the connection'));
  }

  /** @throws ConnectionFailure, also where there is no answer in time; Failure where the broker refuses it; the reason of the stop. */
  static async connect(address: BrokerAddress, settings: ConnectionSettings): Promise<MqttClient> {
    const socket = await openSocket(address, settings);
    const client = new MqttClient(socket, nameOf(address), settings.requestTimeoutMs);
    const { credentials, clientId } = settings;
    const login =
      credentials === undefined
        ? {}
        : 'token' in credentials
          ? { password: Buffer.from(credentials.token()) }
          : { userName: credentials.user, password: Buffer.from(credentials.password()) };
    try {
      await client.#ask(
        {
          ...{ type: PacketType.connect, version: VERSION, cleanStart: true, keepAliveS: 0 },
          ...{ clientId, properties: NO_PROPERTIES, ...login },
        },
        'the connection',
      );
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return client;
  }

  /** Rejects when the connection has ended. */
  get ended(): Promise<never> {
    return this.#ended.promise;
  }

  /** @throws Failure where the broker refuses it; ConnectionFailure where there is no answer in time. */
  async subscribe(filter: string, qos: Qos): Promise<void> {
    const plain = { noLocal: false, retainAsPublished: false, retainHandling: 2 } as const;
    const packet = { packetId: this.#newPacketId(), subscriptions: [{ filter, qos, ...plain }] };
    await this.#ask({ type: PacketType.subscribe, ...packet, properties: NO_PROPERTIES }, `filter ${filter}`);
  }

  /** @returns undefined, or a promise to wait for before more is published. */
  publish(topic: string, payload: Uint8Array, qos: 0 | 1): Promise<unknown> | undefined {
    const flags = { qos, retain: false, dup: false };
    const packetId = qos === 0 ? 0 : this.#newPacketId();
    const packet = {
      type: PacketType.publish,
      topic,
      payload,
      packetId,
      properties: NO_PROPERTIES,
      ...flags,
    };
    if (this.#send(packet)) return undefined;
    return Promise.race([new Promise((resolve) => this.#socket.once('drain', resolve)), this.ended]);
  }

  close(): void {
    this.#send({ type: PacketType.disconnect, reasonCode: 0, properties: NO_PROPERTIES });
    this.#socket.end();
    this.#socket.destroySoon();
  }

  /** Sends a packet, and waits until it is allowed. */
  async #ask(packet: Packet, what: string): Promise<void> {
    this.#answered = Promise.withResolvers();
    const silence = `no answer from ${this.#name} within ${this.#requestTimeoutMs} ms`;
    const timer = setTimeout(() => this.#fail(silence), this.#requestTimeoutMs);
    this.#send(packet);
    const code = await Promise.race([this.#answered.promise, this.ended]).finally(() => clearTimeout(timer));
    if (code >= FIRST_FAILURE) throw new Failure(`the broker refuses ${what}: ${reasonName(code)}`);
  }

  #send(packet: Packet): boolean {
    return this.#socket.write(encodePacket(packet, VERSION));
  }

  #newPacketId(): number {
    this.#lastPacketId = (this.#lastPacketId % PACKET_IDS) + 1;
    return this.#lastPacketId;
  }

  #take(chunk: Uint8Array): void {
    try {
      this.#takePackets(chunk);
    } catch (error) {
      if (!(error instanceof MqttError)) throw error;
      this.#fail(`${this.#name} does not speak MQTT 5: ${error.message}`);
    }
  }

  #takePackets(chunk: Uint8Array): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (this.#cursor.read(bytes, at, bytes.length)) {
      const packet = decodePacket(bytes, this.#cursor, VERSION);
      at = this.#cursor.end;
      this.#handle(packet);
    }
    this.#rest = bytes.subarray(at);
  }

  #handle(packet: Packet): void {
    switch (packet.type) {
      case PacketType.publish:
        this.onMessage(packet.payload);
        if (packet.qos === 1) {
          const { packetId } = packet;
          this.#send({ type: PacketType.puback, packetId, reasonCode: 0, properties: NO_PROPERTIES });
        }
        return;
      case PacketType.puback:
        if (packet.reasonCode >= FIRST_FAILURE)
          this.#fail(`a message was refused: ${reasonName(packet.reasonCode)}`);
        else this.onAcknowledged();
        return;
      case PacketType.connack:
        this.#answered?.resolve(packet.reasonCode);
        return;
      case PacketType.suback:
        this.#answered?.resolve(packet.reasonCodes[0]!);
        return;
      case PacketType.disconnect:
        this.#fail(`the broker ended the connection: ${reasonName(packet.reasonCode)}`);
    }
  }

  #fail(reason: string): void {
    this.#ended.reject(new ConnectionFailure(reason));
    this.#socket.destroy();
  }
}
