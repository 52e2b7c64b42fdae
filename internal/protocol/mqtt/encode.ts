import { Buffer } from 'node:buffer';
import { copyRun } from '../../lib/bytes.ts';
import {
  BRIDGE_BIT,
  type Connect,
  DUP_BIT,
  fixedFlags,
  type Packet,
  PacketType,
  type Publish,
  type PublishAnswer,
  QOS_SHIFT,
  RETAIN_BIT,
  type Subscribe,
  type Version,
} from './packet.ts';
import { NO_PROPERTIES, writeProperties } from './properties.ts';
import { checkLength, FieldWriter, varintBytes, writeVarint } from './writer.ts';

/**
 * A packet in bytes, as a version writes it. What that version has no place for is left out.
 *
 * @throws RangeError where a field is longer than its length can say.
 */
export function encodePacket(packet: Packet, version: Version): Uint8Array {
  if (packet.type === PacketType.publish) return encodePublish(packet, version);
  const body = new FieldWriter();
  writeBody(body, packet, version);
  return withHeader((packet.type << 4) | fixedFlags(packet.type), body.finish());
}

/** Bytes of a PUBLISH, its fixed header included. */
export function publishBytes(publish: Publish, version: Version): number {
  return publishWriter.begin(publish, version);
}

/** A PUBLISH in bytes: one buffer of its size, because the payload may be long. */
export function encodePublish(publish: Publish, version: Version): Uint8Array {
  const bytes = Buffer.allocUnsafe(publishWriter.begin(publish, version));
  publishWriter.write(publish, bytes, 0);
  return bytes;
}

/**
 * Writes a PUBLISH to where it leaves from, in two steps: {@link begin} says how much room it takes, {@link write} fills that. So
 * nothing is made for a message but its bytes, of which many lie in one buffer.
 */
class PublishWriter {
  #topicBytes = 0;
  #bodyBytes = 0;
  #properties: Uint8Array = NO_BYTES;

  /** Returns how many bytes the PUBLISH takes, its fixed header included. @throws RangeError for a topic that is too long. */
  begin(publish: Publish, version: Version): number {
    this.#properties = version === 5 ? encodedProperties(publish) : NO_BYTES;
    this.#topicBytes = utf8Bytes(publish.topic);
    checkLength(this.#topicBytes);
    const idBytes = publish.qos > 0 ? 2 : 0;
    this.#bodyBytes = 2 + this.#topicBytes + idBytes + this.#properties.length + publish.payload.length;
    return 1 + varintBytes(this.#bodyBytes) + this.#bodyBytes;
  }

  /** Writes the PUBLISH that began last. */
  write({ topic, payload, qos, retain, dup, packetId }: Publish, bytes: Uint8Array, start: number): void {
    bytes[start] = PUBLISH_BITS | (dup ? DUP_BIT : 0) | (qos << QOS_SHIFT) | (retain ? RETAIN_BIT : 0);
    let at = writeVarint(bytes, start + 1, this.#bodyBytes);
    bytes[at++] = this.#topicBytes >>> 8;
    bytes[at++] = this.#topicBytes;
    writeText(bytes, at, topic, this.#topicBytes);
    at += this.#topicBytes;
    if (qos > 0) {
      bytes[at++] = packetId >>> 8;
      bytes[at++] = packetId;
    }
    const properties = this.#properties;
    at = copyRun(properties, 0, properties.length, bytes, at);
    copyRun(payload, 0, payload.length, bytes, at);
    this.#properties = NO_BYTES;
  }
}

const NO_BYTES = new Uint8Array(0);
const NO_PROPERTIES_BYTES = new Uint8Array(1);
const PUBLISH_BITS = PacketType.publish << 4;
/** Up to this length a loop is faster than a call of the runtime. */
const SHORT_BYTES = 64;
const utf8 = new TextEncoder();

/** One for all: what it begins is written before anything else is. */
export const publishWriter = new PublishWriter();

/** An acknowledgement that says no more than what it acknowledges. */
export function encodeAnswer(type: PublishAnswer['type'], packetId: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeAnswer(bytes, 0, type, packetId);
  return bytes;
}

/** Writes such an acknowledgement, of four bytes, to where there is room for it. */
export function writeAnswer(
  bytes: Uint8Array,
  at: number,
  type: PublishAnswer['type'],
  packetId: number,
): void {
  bytes[at] = (type << 4) | fixedFlags(type);
  bytes[at + 1] = 2;
  bytes[at + 2] = packetId >>> 8;
  bytes[at + 3] = packetId;
}

function utf8Bytes(text: string): number {
  const { length } = text;
  if (length > SHORT_BYTES) return Buffer.byteLength(text);
  for (let index = 0; index < length; index++) {
    if (text.charCodeAt(index) >= 0x80) return Buffer.byteLength(text);
  }
  return length;
}

function writeText(bytes: Uint8Array, at: number, text: string, byteLength: number): void {
  if (byteLength > SHORT_BYTES || byteLength !== text.length) {
    utf8.encodeInto(text, bytes.subarray(at, at + byteLength));
    return;
  }
  for (let index = 0; index < byteLength; index++) bytes[at + index] = text.charCodeAt(index);
}

function encodedProperties({ properties }: Publish): Uint8Array {
  if (properties === NO_PROPERTIES) return NO_PROPERTIES_BYTES;
  const writer = new FieldWriter();
  writeProperties(writer, properties);
  return writer.finish();
}

function writeBody(body: FieldWriter, packet: Exclude<Packet, Publish>, version: Version): void {
  switch (packet.type) {
    case PacketType.connect:
      writeConnect(body, packet);
      break;
    case PacketType.connack:
      body.uint8(packet.sessionPresent ? 1 : 0);
      body.uint8(packet.reasonCode);
      if (version === 5) writeProperties(body, packet.properties);
      break;
    case PacketType.puback:
    case PacketType.pubrec:
    case PacketType.pubrel:
    case PacketType.pubcomp:
      body.uint16(packet.packetId);
      writeReason(body, packet, version);
      break;
    case PacketType.subscribe:
      writeSubscribe(body, packet, version);
      break;
    case PacketType.unsubscribe:
      body.uint16(packet.packetId);
      if (version === 5) writeProperties(body, packet.properties);
      for (const filter of packet.filters) body.text(filter);
      break;
    case PacketType.suback:
    case PacketType.unsuback:
      body.uint16(packet.packetId);
      if (version === 5) writeProperties(body, packet.properties);
      if (version === 5 || packet.type === PacketType.suback) body.raw(Uint8Array.from(packet.reasonCodes));
      break;
    case PacketType.disconnect:
    case PacketType.auth:
      writeReason(body, packet, version);
      break;
    default:
      packet.type satisfies typeof PacketType.pingreq | typeof PacketType.pingresp;
  }
}

/** A success without properties is left out: the shorter form that every packet of this kind has. */
function writeReason(
  body: FieldWriter,
  { reasonCode, properties }: { reasonCode: number; properties: object },
  version: Version,
): void {
  if (version !== 5) return;
  const hasProperties = properties !== NO_PROPERTIES;
  if (reasonCode === 0 && !hasProperties) return;
  body.uint8(reasonCode);
  if (hasProperties) writeProperties(body, properties);
}

function writeSubscribe(
  body: FieldWriter,
  { packetId, properties, subscriptions }: Subscribe,
  version: Version,
) {
  body.uint16(packetId);
  if (version === 5) writeProperties(body, properties);
  for (const { filter, qos, noLocal, retainAsPublished, retainHandling } of subscriptions) {
    body.text(filter);
    const options = (retainHandling << 4) | (retainAsPublished ? 8 : 0) | (noLocal ? 4 : 0);
    body.uint8(version === 5 ? options | qos : qos);
  }
}

function writeConnect(body: FieldWriter, connect: Connect): void {
  const { version, isBridge, will, userName, password } = connect;
  body.text(version === 3 ? 'MQIsdp' : 'MQTT');
  body.uint8(isBridge ? version | BRIDGE_BIT : version);
  let flags = connect.cleanStart ? 0x02 : 0;
  if (will !== undefined) flags |= 0x04 | (will.qos << 3) | (will.retain ? 0x20 : 0);
  if (password !== undefined) flags |= 0x40;
  if (userName !== undefined) flags |= 0x80;
  body.uint8(flags);
  body.uint16(connect.keepAliveS);
  if (version === 5) writeProperties(body, connect.properties);
  body.text(connect.clientId);
  if (will !== undefined) {
    if (version === 5) writeProperties(body, will.properties);
    body.text(will.topic);
    body.binary(will.payload);
  }
  if (userName !== undefined) body.text(userName);
  if (password !== undefined) body.binary(password);
}

function withHeader(firstByte: number, body: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(1 + varintBytes(body.length) + body.length);
  bytes[0] = firstByte;
  bytes.set(body, writeVarint(bytes, 1, body.length));
  return bytes;
}
