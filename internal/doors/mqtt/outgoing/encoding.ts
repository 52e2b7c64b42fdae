import type { Encoding, Message } from '../../../broker/delivery/publication.ts';
import type { Clock } from '../../../lib/clock.ts';
import { PacketCursor } from '../../../protocol/mqtt/cursor.ts';
import { encodePublish } from '../../../protocol/mqtt/encode.ts';
import { PacketType, type Publish, type Version } from '../../../protocol/mqtt/packet.ts';
import { NO_PROPERTIES, type Properties } from '../../../protocol/mqtt/properties.ts';
import { PublishFields } from '../../../protocol/mqtt/publish-fields.ts';
import { MAX_VARINT } from '../../../protocol/mqtt/reader.ts';

/** Bytes beside the payload that the longest remaining length leaves room for. */
const LARGEST_PAYLOAD_BYTES = MAX_VARINT - 128 * 1024;
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Messages as PUBLISH packets with QoS 0, one behind the other. */
class MqttEncoding implements Encoding {
  readonly name: string;
  readonly #version: Version;
  readonly #clock: Clock;

  constructor(version: Version, clock: Clock) {
    this.name = `mqtt ${version}`;
    this.#version = version;
    this.#clock = clock;
  }

  decode(run: Uint8Array, publisher: string): Message[] {
    const messages: Message[] = [];
    const cursor = new PacketCursor(Number.POSITIVE_INFINITY);
    const fields = new PublishFields();
    for (let at = 0; at < run.length; at = cursor.end) {
      cursor.read(run, at, run.length);
      fields.read(run, cursor.flags, cursor.bodyStart, cursor.end, this.#version);
      messages.push({
        topic: utf8.decode(run.subarray(fields.topicStart, fields.topicEnd)),
        payload: run.subarray(fields.payloadStart, cursor.end),
        clientId: publisher,
      });
    }
    return messages;
  }

  encode(messages: readonly Message[]): Uint8Array {
    const packets: Uint8Array[] = [];
    for (const message of messages) {
      // A payload of the frames' door may be longer than a packet can say.
      if (message.payload.length > LARGEST_PAYLOAD_BYTES) continue;
      packets.push(encodePublish(publishOf(message, this.#version, this.#clock), this.#version));
    }
    return packets.length === 1 ? packets[0]! : Buffer.concat(packets);
  }
}

const encodings = new WeakMap<Clock, { old: MqttEncoding; new: MqttEncoding }>();

/**
 * The encoding of runs for clients of a version: a PUBLISH of 3.1 and one of 3.1.1 are the same. Always the same one for a
 * clock, by which it tells how long messages still live: who shares it shares bytes.
 */
export function encodingOf(version: Version, clock: Clock): Encoding {
  let both = encodings.get(clock);
  if (both === undefined) {
    both = { old: new MqttEncoding(4, clock), new: new MqttEncoding(5, clock) };
    encodings.set(clock, both);
  }
  return version === 5 ? both.new : both.old;
}

/** A message as a PUBLISH with QoS 0. */
export function publishOf(message: Message, version: Version, clock: Clock): Publish {
  return {
    type: PacketType.publish,
    topic: message.topic,
    payload: message.payload,
    qos: 0,
    retain: false,
    dup: false,
    packetId: 0,
    properties: version === 5 ? propertiesOf(message, clock) : NO_PROPERTIES,
  };
}

/** What version 5 can say of a message beside its payload. */
function propertiesOf({ properties, expiresAtMs }: Message, clock: Clock): Properties {
  if (expiresAtMs === undefined) return properties ?? NO_PROPERTIES;
  // [MQTT-3.3.2-6] what is left of the time; never 0 for what is still wanted.
  const messageExpiryIntervalS = Math.max(1, Math.ceil((expiresAtMs - clock.now()) / 1000));
  return { ...properties, messageExpiryIntervalS };
}
