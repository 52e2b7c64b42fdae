import type { PacketCursor } from './cursor.ts';
import { decodeConnack, decodeConnect } from './decode-connect.ts';
import { MqttError } from './mqtt-error.ts';
import {
  type Auth,
  type Disconnect,
  PACKET_NAMES,
  type Packet,
  PacketType,
  type Publish,
  type PublishAnswer,
  type Qos,
  type Suback,
  type Subscribe,
  type SubscriptionRequest,
  type Unsuback,
  type Unsubscribe,
  type Version,
} from './packet.ts';
import { NO_PROPERTIES, type Properties, type PropertyCarrier, readProperties } from './properties.ts';
import { PublishFields } from './publish-fields.ts';
import { FieldReader } from './reader.ts';
import { mayCarry, SUBACK_FAILURE } from './reason-codes.ts';

/**
 * The packet that a cursor has found in `bytes`, as values. Payloads and binary fields are views of `bytes`.
 *
 * @param version what CONNECT said; it plays no part for CONNECT itself.
 * @throws MqttError for whatever breaks the rules of that version.
 */
export function decodePacket(bytes: Uint8Array, cursor: PacketCursor, version: Version): Packet {
  const { type, bodyStart, end } = cursor;
  const reader = new FieldReader(bytes, bodyStart, end, PACKET_NAMES[type]!);
  const packet = decodeBody(bytes, reader, cursor, version);
  reader.expectEnd();
  return packet;
}

function decodeBody(bytes: Uint8Array, reader: FieldReader, cursor: PacketCursor, version: Version): Packet {
  const { type } = cursor;
  switch (type) {
    case PacketType.connect:
      return decodeConnect(reader, cursor.flags);
    case PacketType.connack:
      return decodeConnack(reader, version);
    case PacketType.publish:
      reader.at = reader.end;
      return decodePublish(bytes, cursor, version);
    case PacketType.puback:
    case PacketType.pubrec:
    case PacketType.pubrel:
    case PacketType.pubcomp:
      return decodeAnswer(reader, type, version);
    case PacketType.subscribe:
      return decodeSubscribe(reader, version);
    case PacketType.suback:
      return decodeSuback(reader, version);
    case PacketType.unsubscribe:
      return decodeUnsubscribe(reader, version);
    case PacketType.unsuback:
      return decodeUnsuback(reader, version);
    case PacketType.pingreq:
    case PacketType.pingresp:
      return { type };
    case PacketType.disconnect:
    case PacketType.auth:
      return decodeEnd(reader, type, version);
    default:
      throw new MqttError('malformedPacket', `there is no packet type ${type}`);
  }
}

function decodePublish(
  bytes: Uint8Array,
  { flags, bodyStart, end }: PacketCursor,
  version: Version,
): Publish {
  const fields = new PublishFields();
  fields.read(bytes, flags, bodyStart, end, version);
  const topic = new FieldReader(bytes, bodyStart, end, 'PUBLISH').text('topic');
  // [MQTT-3.3.2-2]
  if (/[+#]/.test(topic)) throw new MqttError('invalidTopicName', 'PUBLISH: a topic with wildcards');
  return {
    type: PacketType.publish,
    topic,
    payload: bytes.subarray(fields.payloadStart, end),
    qos: fields.qos,
    retain: fields.retain,
    dup: fields.dup,
    packetId: fields.packetId,
    properties: fields.properties,
  };
}

function decodeAnswer(reader: FieldReader, type: PublishAnswer['type'], version: Version): PublishAnswer {
  const packetId = packetIdOf(reader);
  const carrier = ANSWER_NAMES[type];
  // A success without properties may end here (MQTT 5, section 3.4.2.1).
  if (version !== 5 || reader.remaining === 0) {
    return { type, packetId, reasonCode: 0, properties: NO_PROPERTIES };
  }
  const reasonCode = reasonCodeOf(reader, carrier);
  const properties = reader.remaining > 0 ? readProperties(reader, carrier) : NO_PROPERTIES;
  return { type, packetId, reasonCode, properties };
}

const ANSWER_NAMES = {
  [PacketType.puback]: 'puback',
  [PacketType.pubrec]: 'pubrec',
  [PacketType.pubrel]: 'pubrel',
  [PacketType.pubcomp]: 'pubcomp',
} as const;

function decodeSubscribe(reader: FieldReader, version: Version): Subscribe {
  const packetId = packetIdOf(reader);
  const properties = propertiesOf(reader, 'subscribe', version);
  const subscriptions: SubscriptionRequest[] = [];
  // [MQTT-3.8.3-2] at least one.
  if (reader.remaining === 0) throw reader.violated('no topic filter');
  while (reader.remaining > 0) subscriptions.push(subscriptionOf(reader, version));
  return { type: PacketType.subscribe, packetId, subscriptions, properties };
}

/**
 *     version 5:  [filter][reserved:2 bits][retain handling:2][retain as published:1][no local:1][QoS:2]
 *     before:     [filter][reserved:6 bits][QoS:2], the reserved bits not used at all by version 3.1
 */
function subscriptionOf(reader: FieldReader, version: Version): SubscriptionRequest {
  const filter = reader.text('topic filter');
  const options = reader.uint8('subscription options');
  const qos = options & 3;
  if (qos === 3) throw reader.malformed('QoS 3');
  if (version === 3) return { filter, qos: qos as Qos, ...NO_OPTIONS };
  // [MQTT-3.8.3-5]
  if ((options & (version === 5 ? 0xc0 : 0xfc)) !== 0) throw reader.malformed('reserved bits of the options');
  const retainHandling = (options >>> 4) & 3;
  if (retainHandling === 3) throw reader.violated('Retain Handling 3');
  const noLocal = (options & 4) !== 0;
  // [MQTT-3.8.3-4]
  if (noLocal && filter.startsWith('$share/')) throw reader.violated('No Local on a shared subscription');
  return {
    filter,
    qos: qos as Qos,
    noLocal,
    retainAsPublished: (options & 8) !== 0,
    retainHandling: retainHandling as 0 | 1 | 2,
  };
}

const NO_OPTIONS = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;

function decodeSuback(reader: FieldReader, version: Version): Suback {
  const packetId = packetIdOf(reader);
  const properties = propertiesOf(reader, 'suback', version);
  const reasonCodes = [...reader.rest()];
  for (const code of reasonCodes) {
    const isKnown = version === 5 ? mayCarry('suback', code) : code <= 2 || code === SUBACK_FAILURE;
    if (!isKnown) throw reader.violated(`reason code ${code}`);
  }
  if (reasonCodes.length === 0) throw reader.violated('no reason code');
  return { type: PacketType.suback, packetId, reasonCodes, properties };
}

function decodeUnsubscribe(reader: FieldReader, version: Version): Unsubscribe {
  const packetId = packetIdOf(reader);
  const properties = propertiesOf(reader, 'unsubscribe', version);
  const filters: string[] = [];
  // [MQTT-3.10.3-2] at least one.
  if (reader.remaining === 0) throw reader.violated('no topic filter');
  while (reader.remaining > 0) filters.push(reader.text('topic filter'));
  return { type: PacketType.unsubscribe, packetId, filters, properties };
}

function decodeUnsuback(reader: FieldReader, version: Version): Unsuback {
  const packetId = packetIdOf(reader);
  const properties = propertiesOf(reader, 'unsuback', version);
  const reasonCodes = version === 5 ? [...reader.rest()] : [];
  for (const code of reasonCodes) {
    if (!mayCarry('unsuback', code)) throw reader.violated(`reason code ${code}`);
  }
  if (version === 5 && reasonCodes.length === 0) throw reader.violated('no reason code');
  return { type: PacketType.unsuback, packetId, reasonCodes, properties };
}

function decodeEnd(
  reader: FieldReader,
  type: Disconnect['type'] | Auth['type'],
  version: Version,
): Disconnect | Auth {
  const carrier = type === PacketType.auth ? 'auth' : 'disconnect';
  if (version !== 5) {
    if (type === PacketType.auth) throw reader.malformed('there is no such packet before version 5');
    return { type, reasonCode: 0, properties: NO_PROPERTIES };
  }
  // Both may be left out where it is 0 and there are no properties (MQTT 5, section 3.14.2.1).
  const reasonCode = reader.remaining > 0 ? reasonCodeOf(reader, carrier) : 0;
  const properties = reader.remaining > 0 ? readProperties(reader, carrier) : NO_PROPERTIES;
  return { type, reasonCode, properties };
}

function reasonCodeOf(reader: FieldReader, carrier: PropertyCarrier): number {
  const code = reader.uint8('reason code');
  if (!mayCarry(carrier, code)) throw reader.violated(`reason code ${code} has no place there`);
  return code;
}

function packetIdOf(reader: FieldReader): number {
  const packetId = reader.uint16('packet identifier');
  // [MQTT-2.2.1-3]
  if (packetId === 0) throw reader.violated('packet identifier 0');
  return packetId;
}

function propertiesOf(reader: FieldReader, carrier: PropertyCarrier, version: Version): Properties {
  return version === 5 ? readProperties(reader, carrier) : NO_PROPERTIES;
}
