import {
  BRIDGE_BIT,
  type Connect,
  DUP_BIT,
  fixedFlags,
  type Packet,
  PacketType,
  type Publish,
  QOS_SHIFT,
  RETAIN_BIT,
  type Subscribe,
  type Version,
} from './packet.ts';
import { NO_PROPERTIES, writeProperties } from './properties.ts';
import { FieldWriter, varintBytes, writeVarint } from './writer.ts';

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
  const propertiesLength = version === 5 ? encodedProperties(publish).length : 0;
  const length = Buffer.byteLength(publish.topic) + publish.payload.length + propertiesLength;
  const body = 2 + length + (publish.qos > 0 ? 2 : 0);
  return 1 + varintBytes(body) + body;
}

/** A PUBLISH in bytes: one buffer of its size, because the payload may be long. */
export function encodePublish(publish: Publish, version: Version): Uint8Array {
  const { topic, payload, qos, retain, dup, packetId } = publish;
  const properties = version === 5 ? encodedProperties(publish) : NO_BYTES;
  const topicLength = Buffer.byteLength(topic);
  const bodyLength = 2 + topicLength + (qos > 0 ? 2 : 0) + properties.length + payload.length;
  const bytes = Buffer.allocUnsafe(1 + varintBytes(bodyLength) + bodyLength);
  bytes[0] = (PacketType.publish << 4) | (dup ? DUP_BIT : 0) | (qos << QOS_SHIFT) | (retain ? RETAIN_BIT : 0);
  let at = writeVarint(bytes, 1, bodyLength);
  at = bytes.writeUInt16BE(topicLength, at);
  at += bytes.write(topic, at);
  if (qos > 0) at = bytes.writeUInt16BE(packetId, at);
  bytes.set(properties, at);
  bytes.set(payload, at + properties.length);
  return bytes;
}

const NO_BYTES = new Uint8Array(0);
const NO_PROPERTIES_BYTES = new Uint8Array(1);

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
