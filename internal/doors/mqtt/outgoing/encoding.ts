import type { Encoding, Message } from '../../../broker/delivery/publication.ts';
import type { RunsTaken } from '../../../broker/sessions/outlet.ts';
import type { Clock } from '../../../lib/clock.ts';
import { LastText } from '../../../lib/last-text.ts';
import { PacketCursor } from '../../../protocol/mqtt/cursor.ts';
import { encodePublish } from '../../../protocol/mqtt/encode.ts';
import { PacketType, type Publish, type Version } from '../../../protocol/mqtt/packet.ts';
import { NO_PROPERTIES, type Properties } from '../../../protocol/mqtt/properties.ts';
import { PublishFields } from '../../../protocol/mqtt/publish-fields.ts';
import {
  withNoProperties,
  withoutPacketIds,
  withoutProperties,
} from '../../../protocol/mqtt/publish-runs.ts';
import { MAX_VARINT } from '../../../protocol/mqtt/reader.ts';

/** Bytes beside the payload that the longest remaining length leaves room for. */
const LARGEST_PAYLOAD_BYTES = MAX_VARINT - 128 * 1024;
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Messages as PUBLISH packets of a version with one QoS, one behind the other. */
abstract class MqttEncoding implements Encoding {
  abstract readonly name: string;
  protected readonly version: Version;

  constructor(version: Version) {
    this.version = version;
  }

  decode(run: Uint8Array, publisher: string): Message[] {
    const messages: Message[] = [];
    const cursor = new PacketCursor(Number.POSITIVE_INFINITY);
    const fields = new PublishFields();
    const topics = new LastText((start, end) => utf8.decode(run.subarray(start, end)));
    for (let at = 0; at < run.length; at = cursor.end) {
      cursor.read(run, at, run.length);
      fields.read(run, cursor.flags, cursor.bodyStart, cursor.end, this.version);
      messages.push({
        topic: topics.of(run, fields.topicStart, fields.topicEnd),
        payload: run.subarray(fields.payloadStart, cursor.end),
        clientId: publisher,
      });
    }
    return messages;
  }

  abstract encode(messages: readonly Message[]): Uint8Array;
}

/** With QoS 0. */
class PlainEncoding extends MqttEncoding {
  readonly name: string;
  readonly rewritten: Encoding;
  readonly #clock: Clock;

  constructor(acknowledged: AcknowledgedEncoding, version: Version, clock: Clock) {
    super(version);
    this.name = `mqtt ${version}`;
    this.rewritten = acknowledged;
    this.#clock = clock;
  }

  rewrite(run: Uint8Array): Uint8Array {
    return withoutPacketIds(run);
  }

  encode(messages: readonly Message[]): Uint8Array {
    const packets: Uint8Array[] = [];
    for (const message of messages) {
      // A payload of the frames' door may be longer than a packet can say.
      if (message.payload.length > LARGEST_PAYLOAD_BYTES) continue;
      packets.push(encodePublish(publishOf(message, this.version, this.#clock), this.version));
    }
    return packets.length === 1 ? packets[0]! : Buffer.concat(packets);
  }
}

/**
 * With QoS 1 and the packet identifiers of whoever published them, which each subscriber gets with others. Runs are made by clients
 * of this protocol alone: what came in another encoding goes to its subscribers one by one.
 */
class AcknowledgedEncoding extends MqttEncoding {
  readonly name: string;
  /** That of the other versions. */
  rewritten: Encoding | undefined;

  constructor(version: Version) {
    super(version);
    this.name = `mqtt ${version} with QoS 1`;
  }

  rewrite(run: Uint8Array): Uint8Array {
    return this.version === 5 ? withNoProperties(run) : withoutProperties(run);
  }

  encode(): Uint8Array {
    throw new Error(`nothing is turned into ${this.name}`);
  }
}

export interface Encodings {
  plain: Encoding;
  /** With QoS 1. A token is a packet identifier. */
  acknowledged: RunsTaken;
}

const encodings = new WeakMap<Clock, { old: Encodings; new: Encodings }>();

/**
 * The encodings of runs for clients of a version: a PUBLISH of 3.1 and one of 3.1.1 are the same. Always the same ones for a
 * clock, by which they tell how long messages still live: who shares them shares bytes.
 */
export function encodingsOf(version: Version, clock: Clock): Encodings {
  let both = encodings.get(clock);
  if (both === undefined) {
    const [before, now] = [new AcknowledgedEncoding(4), new AcknowledgedEncoding(5)];
    before.rewritten = now;
    now.rewritten = before;
    both = { old: newEncodings(before, 4, clock), new: newEncodings(now, 5, clock) };
    encodings.set(clock, both);
  }
  return version === 5 ? both.new : both.old;
}

function newEncodings(acknowledged: AcknowledgedEncoding, version: Version, clock: Clock): Encodings {
  return {
    plain: new PlainEncoding(acknowledged, version, clock),
    acknowledged: { encoding: acknowledged, haveTokens: true },
  };
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
