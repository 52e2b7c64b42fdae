import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import { expect } from 'vitest';
import { encodePacket } from '../../internal/protocol/mqtt/encode.ts';
import { PacketType, type Version } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { ReasonCode, SUBACK_FAILURE } from '../../internal/protocol/mqtt/reason-codes.ts';
import { RawMqtt } from '../mqtt/client.ts';
import { type MqttJsMessage, mqttJs } from '../mqtt/mqtt-js.ts';
import { openStream } from '../support/raw-client.ts';
import type { DoorClient, DoorUnderTest, Exchange, Offence, Received } from './door.ts';

/** MQTT of a version, with QoS 0 as far as nothing else is needed, and MQTT.js. */
export function mqtt(version: 4 | 5): DoorUnderTest {
  return {
    name: version === 4 ? 'MQTT 3.1.1' : 'MQTT 5',
    namesSenders: false,
    conversation: CONVERSATIONS[version],
    open,
    async connect(url, clientId, tls) {
      const raw = new RawMqtt(await open(url, tls), version);
      expect(await raw.connect({ clientId })).toMatchObject({ reasonCode: 0, sessionPresent: false });
      return new MqttClient(raw);
    },
    encodePublish: (topic, payload) => encodePublish(version, topic, Buffer.from(payload)),
    library: (url, tls, count) => publishWithMqttJs(url, tls, version, count),
  };
}

/** Written down from the specification: sections 3.1 to 3.14 of either version. */
const CONVERSATIONS: Record<4 | 5, readonly Exchange[]> = {
  4: [
    { what: 'CONNECT', send: '1013 0004 4d515454 04 02 0000 0007 6b69746368656e', answer: '2002 00 00' },
    { what: 'SUBSCRIBE', send: '8208 0001 0003 612f2b 00', answer: '9003 0001 00' },
    { what: 'UNSUBSCRIBE', send: 'a207 0002 0003 612f2b', answer: 'b002 0002' },
    { what: 'UNSUBSCRIBE from nothing', send: 'a209 0003 0005 6e65766572', answer: 'b002 0003' },
    { what: 'PINGREQ', send: 'c000', answer: 'd000' },
    { what: 'DISCONNECT', send: 'e000', answer: '' },
  ],
  5: [
    {
      what: 'CONNECT',
      send: '1014 0004 4d515454 05 02 0000 00 0007 6b69746368656e',
      // Receive Maximum 1,024, Maximum Packet Size 2 MiB and 256 KiB, Topic Alias Maximum 256.
      answer: '200e 00 00 0b 21 0400 27 00240000 22 0100',
    },
    { what: 'SUBSCRIBE', send: '8209 0001 00 0003 612f2b 00', answer: '9004 0001 00 00' },
    { what: 'UNSUBSCRIBE', send: 'a208 0002 00 0003 612f2b', answer: 'b004 0002 00 00' },
    { what: 'UNSUBSCRIBE from nothing', send: 'a20a 0003 00 0005 6e65766572', answer: 'b004 0003 00 11' },
    { what: 'PINGREQ', send: 'c000', answer: 'd000' },
    { what: 'DISCONNECT', send: 'e000', answer: '' },
  ],
};

function open(url: string, tls: ConnectionOptions | undefined): Promise<Duplex> {
  return openStream(url.startsWith('ws') ? `${url}/mqtt` : url, tls, 'mqtt');
}

function encodePublish(version: Version, topic: string, payload: Uint8Array): Uint8Array {
  const flags = { qos: 0, retain: false, dup: false, packetId: 0 } as const;
  return encodePacket(
    { type: PacketType.publish, topic, payload, ...flags, properties: NO_PROPERTIES },
    version,
  );
}

class MqttClient implements DoorClient {
  readonly #raw: RawMqtt;

  constructor(raw: RawMqtt) {
    this.#raw = raw;
  }

  get stream() {
    return this.#raw.stream;
  }

  async subscribe(...filters: string[]): Promise<void> {
    for (const filter of filters) {
      expect(await this.#raw.subscribe(filter)).toMatchObject({ reasonCodes: [0] });
    }
  }

  async unsubscribe(filter: string): Promise<void> {
    const packetId = this.#raw.newPacketId();
    this.#raw.send({ type: PacketType.unsubscribe, packetId, filters: [filter], properties: NO_PROPERTIES });
    expect(await this.#raw.next(PacketType.unsuback)).toMatchObject({ packetId });
  }

  publish(topic: string, payload: string | Uint8Array): void {
    this.#raw.publish(topic, payload);
  }

  ping(): Promise<void> {
    return this.#raw.expectSilence();
  }

  async messages(count: number): Promise<Received[]> {
    const packets = await this.#raw.take(count);
    return packets.map((packet) => {
      expect(packet).toMatchObject({ type: PacketType.publish, qos: 0, retain: false, dup: false });
      const { topic, payload } = packet as Extract<typeof packet, { topic: string }>;
      return { topic, payload, sender: undefined };
    });
  }

  expectSilence(): Promise<void> {
    return this.#raw.expectSilence();
  }

  /** Version 3.1.1 has no DISCONNECT of a server: the connection ends without a word. */
  async expectEnd(reason: RegExp): Promise<void> {
    if (this.#raw.version === 5) {
      const { reasonCode, properties } = await this.#raw.next(PacketType.disconnect);
      expect(reasonCode).toBeGreaterThanOrEqual(0x80);
      expect(properties.reasonString).toMatch(reason);
    }
    await this.#raw.ended();
    expect(this.#raw.waiting).toEqual([]);
  }

  /**
   * A subscription is refused in its SUBACK, and a message to a topic of the broker in its PUBACK, which before version 5
   * cannot say no; the connection goes on. Everything else ends it.
   */
  async offend({ kind, name }: Offence, reason: RegExp): Promise<void> {
    const raw = this.#raw;
    const isNew = raw.version === 5;
    if (kind === 'connect') {
      const connect = { type: PacketType.connect, version: raw.version, cleanStart: true, keepAliveS: 0 };
      raw.send({ ...connect, clientId: '', properties: NO_PROPERTIES } as Parameters<RawMqtt['send']>[0]);
      return this.expectEnd(reason);
    }
    if (kind === 'subscribe') {
      const { reasonCodes, properties } = await raw.subscribe(name);
      expect(reasonCodes).toEqual([isNew ? ReasonCode.invalidTopicFilter : SUBACK_FAILURE]);
      if (isNew) expect(properties.reasonString).toMatch(reason);
      return this.ping();
    }
    raw.publish(name, 'x', { qos: 1 });
    if (!name.startsWith('$')) return this.expectEnd(reason);
    const { reasonCode, properties } = await raw.next(PacketType.puback);
    expect(reasonCode).toBe(isNew ? ReasonCode.notAuthorized : ReasonCode.success);
    if (isNew) expect(properties.reasonString).toMatch(reason);
    return this.ping();
  }
}

async function publishWithMqttJs(
  url: string,
  tls: ConnectionOptions | undefined,
  version: 4 | 5,
  count: number,
) {
  const { connectAsync } = await mqttJs();
  const [, scheme, rest] = /^([a-z]+):\/\/(.*)$/s.exec(url)!;
  const client = await connectAsync({
    ...(scheme === 'unix'
      ? { protocol: 'mqtt', unixSocket: true, path: rest }
      : {
          protocol: { tcp: 'mqtt', tls: 'mqtts', ws: 'ws', wss: 'wss' }[scheme]!,
          hostname: 'localhost',
          port: Number(new URL(url).port),
          path: scheme.startsWith('ws') ? '/mqtt' : undefined,
        }),
    protocolVersion: version,
    reconnectPeriod: 0,
    ca: tls?.ca,
    cert: tls?.cert,
    key: tls?.key,
    servername: tls?.servername,
  });
  const received: MqttJsMessage[] = [];
  const all = new Promise<void>((resolve, reject) => {
    client.on('error', reject);
    client.on('message', (topic, payload) => {
      received.push({ topic, text: String(payload) });
      if (received.length === count) resolve();
    });
  });
  await client.subscribeAsync('library/+', { qos: 2 });
  const sent: Promise<unknown>[] = [];
  for (let index = 0; index < count; index++) {
    sent.push(client.publishAsync(`library/${index % 3}`, `ü${index}`, { qos: 1 }));
  }
  await Promise.all([all, ...sent]);
  await client.endAsync();
  return received;
}
