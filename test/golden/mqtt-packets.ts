import { type Packet, PacketType, type Version } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import type { ReasonName } from '../../internal/protocol/mqtt/reason-codes.ts';

/**
 * Packets as the specifications write them, one catalogue for decoder, encoder and the seeds of the mutations. Bytes are
 * in hex, spaces between fields.
 */
export interface GoldenPacket {
  name: string;
  versions: readonly Version[];
  hex: string;
  packet: Packet;
  /** Whether an encoder writes it otherwise, though it is allowed. */
  isDecodedOnly?: boolean;
}

const ALL: readonly Version[] = [3, 4, 5];
const OLD: readonly Version[] = [3, 4];
const V3: readonly Version[] = [3];
const V4: readonly Version[] = [4];
const V5: readonly Version[] = [5];
const V4_5: readonly Version[] = [4, 5];
const bytes = (hex: string) => Buffer.from(hex, 'hex');
const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;

export const GOLDEN_PACKETS: readonly GoldenPacket[] = [
  {
    name: 'CONNECT of 3.1',
    versions: V3,
    hex: '10 13 0006 4d5149736470 03 02 003c 0005 61 6263 2f64',
    packet: {
      type: PacketType.connect,
      version: 3,
      cleanStart: true,
      keepAliveS: 60,
      clientId: 'abc/d',
      properties: NO_PROPERTIES,
    },
  },
  {
    name: 'CONNECT of 3.1, which does not use the flags of its fixed header',
    versions: V3,
    hex: '12 0f 0006 4d5149736470 03 02 003c 0001 61',
    packet: {
      type: PacketType.connect,
      version: 3,
      cleanStart: true,
      keepAliveS: 60,
      clientId: 'a',
      properties: NO_PROPERTIES,
    },
    isDecodedOnly: true,
  },
  {
    name: 'CONNECT of a bridge of 3.1',
    versions: V3,
    hex: '10 0f 0006 4d5149736470 83 02 003c 0001 61',
    packet: {
      type: PacketType.connect,
      version: 3,
      isBridge: true,
      cleanStart: true,
      keepAliveS: 60,
      clientId: 'a',
      properties: NO_PROPERTIES,
    },
  },
  {
    name: 'CONNECT of a bridge of 3.1.1',
    versions: V4,
    hex: '10 0d 0004 4d515454 84 02 003c 0001 61',
    packet: {
      type: PacketType.connect,
      version: 4,
      isBridge: true,
      cleanStart: true,
      keepAliveS: 60,
      clientId: 'a',
      properties: NO_PROPERTIES,
    },
  },
  {
    name: 'CONNECT of a bridge of 5',
    versions: V5,
    hex: '10 0e 0004 4d515454 85 02 003c 00 0001 61',
    packet: {
      type: PacketType.connect,
      version: 5,
      isBridge: true,
      cleanStart: true,
      keepAliveS: 60,
      clientId: 'a',
      properties: NO_PROPERTIES,
    },
  },
  {
    name: 'CONNECT of 3.1.1 with everything',
    versions: V4,
    hex: '10 23 0004 4d515454 04 f6 000a 0002 6331 0003 772f74 0004 676f6e65 0004 75736572 0002 0070',
    packet: {
      type: PacketType.connect,
      version: 4,
      cleanStart: true,
      keepAliveS: 10,
      clientId: 'c1',
      will: { topic: 'w/t', payload: bytes('676f6e65'), qos: 2, retain: true, properties: NO_PROPERTIES },
      userName: 'user',
      password: bytes('0070'),
      properties: NO_PROPERTIES,
    },
  },
  {
    name: 'CONNECT of 5 without anything [MQTT-2.2.2-1] [MQTT-3.1.2-16] [MQTT-3.1.2-18]',
    versions: V5,
    hex: '10 0d 0004 4d515454 05 00 0000 00 0000',
    packet: {
      type: PacketType.connect,
      version: 5,
      cleanStart: false,
      keepAliveS: 0,
      clientId: '',
      properties: NO_PROPERTIES,
    },
  },
  {
    name: 'CONNECT of 5 with everything [MQTT-3.1.2-17] [MQTT-3.1.2-19] [MQTT-3.1.3-1] [MQTT-3.1.3-3]',
    versions: V5,
    hex:
      '10 5c 0004 4d515454 05 ce 0e10 27 11 0000003c 21 0014 27 00010000 22 000a 19 01 17 00 26 0001 61 0001 62' +
      ' 15 0005 5343524142 16 0001 ff 0002 6335' +
      ' 18 18 00000005 01 01 02 0000000a 03 0001 74 08 0001 72 09 0001 00 0001 77 0002 6279 0001 75 0001 70',
    packet: {
      type: PacketType.connect,
      version: 5,
      cleanStart: true,
      keepAliveS: 3600,
      clientId: 'c5',
      properties: {
        sessionExpiryIntervalS: 60,
        receiveMaximum: 20,
        maximumPacketSizeBytes: 65_536,
        topicAliasMaximum: 10,
        requestResponseInformation: 1,
        requestProblemInformation: 0,
        userProperties: [['a', 'b']],
        authenticationMethod: 'SCRAB',
        authenticationData: bytes('ff'),
      },
      will: {
        topic: 'w',
        payload: bytes('6279'),
        qos: 1,
        retain: false,
        properties: {
          willDelayIntervalS: 5,
          payloadFormatIndicator: 1,
          messageExpiryIntervalS: 10,
          contentType: 't',
          responseTopic: 'r',
          correlationData: bytes('00'),
        },
      },
      userName: 'u',
      password: bytes('70'),
    },
  },
  {
    name: 'CONNACK',
    versions: OLD,
    hex: '20 02 01 00',
    packet: { type: PacketType.connack, sessionPresent: true, reasonCode: 0, properties: NO_PROPERTIES },
  },
  {
    name: 'CONNACK that refuses',
    versions: OLD,
    hex: '20 02 00 05',
    packet: { type: PacketType.connack, sessionPresent: false, reasonCode: 5, properties: NO_PROPERTIES },
  },
  {
    name: 'CONNACK of 5 with everything',
    versions: V5,
    hex:
      '20 41 00 00 3e 11 00000000 21 0001 24 01 25 00 27 00000400 12 0002 6169 22 ffff 1f 0002 6f6b 26 0001 61 0000' +
      ' 28 01 29 00 2a 01 13 003c 1a 0001 69 1c 0001 73 15 0001 6d 16 0002 0001',
    packet: {
      type: PacketType.connack,
      sessionPresent: false,
      reasonCode: 0,
      properties: {
        sessionExpiryIntervalS: 0,
        receiveMaximum: 1,
        maximumQos: 1,
        retainAvailable: 0,
        maximumPacketSizeBytes: 1024,
        assignedClientIdentifier: 'ai',
        topicAliasMaximum: 65_535,
        reasonString: 'ok',
        userProperties: [['a', '']],
        wildcardSubscriptionAvailable: 1,
        subscriptionIdentifierAvailable: 0,
        sharedSubscriptionAvailable: 1,
        serverKeepAliveS: 60,
        responseInformation: 'i',
        serverReference: 's',
        authenticationMethod: 'm',
        authenticationData: bytes('0001'),
      },
    },
  },
  {
    name: 'PUBLISH with QoS 0 [MQTT-2.2.1-2]',
    versions: OLD,
    hex: '30 07 0003 612f62 6869',
    packet: {
      type: PacketType.publish,
      topic: 'a/b',
      payload: bytes('6869'),
      qos: 0,
      retain: false,
      dup: false,
      packetId: 0,
      properties: NO_PROPERTIES,
    },
  },
  {
    name: 'PUBLISH with QoS 2, DUP and RETAIN',
    versions: OLD,
    hex: '3d 07 0003 612f62 000a',
    packet: {
      type: PacketType.publish,
      topic: 'a/b',
      payload: bytes(''),
      qos: 2,
      retain: true,
      dup: true,
      packetId: 10,
      properties: NO_PROPERTIES,
    },
  },
  {
    name: 'PUBLISH of 5 without properties',
    versions: V5,
    hex: '32 08 0001 61 ffff 00 6869',
    packet: {
      type: PacketType.publish,
      topic: 'a',
      payload: bytes('6869'),
      qos: 1,
      retain: false,
      dup: false,
      packetId: 65_535,
      properties: NO_PROPERTIES,
    },
  },
  {
    name: 'PUBLISH of 5 with everything',
    versions: V5,
    hex: '31 2e 0000 2a 01 00 02 00000001 03 0001 63 08 0001 72 09 0002 0001 0b 01 0b 8001 23 0001 26 0001 78 0001 79 26 0001 78 0001 79 ff',
    packet: {
      type: PacketType.publish,
      topic: '',
      payload: bytes('ff'),
      qos: 0,
      retain: true,
      dup: false,
      packetId: 0,
      properties: {
        payloadFormatIndicator: 0,
        messageExpiryIntervalS: 1,
        contentType: 'c',
        responseTopic: 'r',
        correlationData: bytes('0001'),
        subscriptionIdentifiers: [1, 128],
        topicAlias: 1,
        userProperties: [
          ['x', 'y'],
          ['x', 'y'],
        ],
      },
    },
  },
  ...(['puback', 'pubrec', 'pubrel', 'pubcomp'] as const).flatMap((type): GoldenPacket[] => {
    const first = { puback: '40', pubrec: '50', pubrel: '62', pubcomp: '70' }[type];
    const isRelease = type === 'pubrel' || type === 'pubcomp';
    const answer = { type: PacketType[type], packetId: 2 };
    const name = type.toUpperCase();
    return [
      {
        name,
        versions: ALL,
        hex: `${first} 02 0002`,
        packet: { ...answer, reasonCode: 0, properties: NO_PROPERTIES },
      },
      {
        name: `${name} with a reason`,
        versions: V5,
        hex: `${first} 03 0002 ${isRelease ? '92' : '97'}`,
        packet: { ...answer, reasonCode: isRelease ? 0x92 : 0x97, properties: NO_PROPERTIES },
      },
      {
        name: `${name} with properties`,
        versions: V5,
        hex: `${first} 0f 0002 00 0b 1f 0001 72 26 0001 6b 0001 76`,
        packet: { ...answer, reasonCode: 0, properties: { reasonString: 'r', userProperties: [['k', 'v']] } },
      },
      {
        name: `${name} with an empty property length`,
        versions: V5,
        hex: `${first} 04 0002 00 00`,
        packet: { ...answer, reasonCode: 0, properties: NO_PROPERTIES },
        isDecodedOnly: true,
      },
    ];
  }),
  {
    name: 'SUBSCRIBE',
    versions: OLD,
    hex: '82 0e 000a 0003 612f62 01 0003 632f64 02',
    packet: {
      type: PacketType.subscribe,
      packetId: 10,
      subscriptions: [
        { filter: 'a/b', qos: 1, ...plain },
        { filter: 'c/d', qos: 2, ...plain },
      ],
      properties: NO_PROPERTIES,
    },
  },
  {
    name: 'SUBSCRIBE of 5',
    versions: V5,
    hex: '82 0e 000a 03 0b ff01 0001 23 2c 0001 2b 11',
    packet: {
      type: PacketType.subscribe,
      packetId: 10,
      subscriptions: [
        { filter: '#', qos: 0, noLocal: true, retainAsPublished: true, retainHandling: 2 },
        { filter: '+', qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 1 },
      ],
      properties: { subscriptionIdentifiers: [255] },
    },
  },
  {
    name: 'SUBACK',
    versions: OLD,
    hex: '90 06 000a 00 01 02 80',
    packet: {
      type: PacketType.suback,
      packetId: 10,
      reasonCodes: [0, 1, 2, 0x80],
      properties: NO_PROPERTIES,
    },
  },
  {
    name: 'SUBACK of 5',
    versions: V5,
    hex: '90 05 000a 00 00 8f',
    packet: { type: PacketType.suback, packetId: 10, reasonCodes: [0, 0x8f], properties: NO_PROPERTIES },
  },
  {
    name: 'UNSUBSCRIBE',
    versions: OLD,
    hex: 'a2 07 000a 0003 612f62',
    packet: { type: PacketType.unsubscribe, packetId: 10, filters: ['a/b'], properties: NO_PROPERTIES },
  },
  {
    name: 'UNSUBSCRIBE of 5',
    versions: V5,
    hex: 'a2 10 000a 07 26 0001 6b 0001 76 0001 61 0001 62',
    packet: {
      type: PacketType.unsubscribe,
      packetId: 10,
      filters: ['a', 'b'],
      properties: { userProperties: [['k', 'v']] },
    },
  },
  {
    name: 'UNSUBACK',
    versions: OLD,
    hex: 'b0 02 000a',
    packet: { type: PacketType.unsuback, packetId: 10, reasonCodes: [], properties: NO_PROPERTIES },
  },
  {
    name: 'UNSUBACK of 5',
    versions: V5,
    hex: 'b0 05 000a 00 00 11',
    packet: { type: PacketType.unsuback, packetId: 10, reasonCodes: [0, 0x11], properties: NO_PROPERTIES },
  },
  { name: 'PINGREQ', versions: ALL, hex: 'c0 00', packet: { type: PacketType.pingreq } },
  { name: 'PINGRESP', versions: ALL, hex: 'd0 00', packet: { type: PacketType.pingresp } },
  {
    name: 'DISCONNECT',
    versions: ALL,
    hex: 'e0 00',
    packet: { type: PacketType.disconnect, reasonCode: 0, properties: NO_PROPERTIES },
  },
  {
    name: 'DISCONNECT of 5 with a reason',
    versions: V5,
    hex: 'e0 01 04',
    packet: { type: PacketType.disconnect, reasonCode: 4, properties: NO_PROPERTIES },
  },
  {
    name: 'DISCONNECT of 5 with everything',
    versions: V5,
    hex: 'e0 15 8e 13 11 ffffffff 1f 0001 72 1c 0002 7331 26 0000 0000',
    packet: {
      type: PacketType.disconnect,
      reasonCode: 0x8e,
      properties: {
        sessionExpiryIntervalS: 0xffff_ffff,
        reasonString: 'r',
        serverReference: 's1',
        userProperties: [['', '']],
      },
    },
  },
  {
    name: 'AUTH',
    versions: V5,
    hex: 'f0 0a 18 08 15 0001 6d 16 0001 64',
    packet: {
      type: PacketType.auth,
      reasonCode: 0x18,
      properties: { authenticationMethod: 'm', authenticationData: bytes('64') },
    },
  },
];

/** Bytes that are no packet, and what they are called. */
export interface BrokenPacket {
  name: string;
  versions: readonly Version[];
  hex: string;
  reason: ReasonName;
}

export const BROKEN_PACKETS: readonly BrokenPacket[] = [
  { name: 'type 0', versions: ALL, hex: '00 00', reason: 'malformedPacket' },
  { name: '[MQTT-3.14.1-1] flags of DISCONNECT', versions: V4_5, hex: 'e1 00', reason: 'malformedPacket' },
  { name: '[MQTT-3.15.1-1] flags of AUTH', versions: V5, hex: 'f1 00', reason: 'malformedPacket' },
  { name: '[MQTT-3.15.2-1] reason of AUTH', versions: V5, hex: 'f0 01 80', reason: 'protocolError' },
  { name: 'AUTH before version 5', versions: OLD, hex: 'f0 00', reason: 'malformedPacket' },
  { name: '[MQTT-2.1.3-1] flags of PINGREQ', versions: V4_5, hex: 'c1 00', reason: 'malformedPacket' },
  { name: '[MQTT-3.6.1-1] flags of PUBREL', versions: V4_5, hex: '60 02 0001', reason: 'malformedPacket' },
  {
    name: '[MQTT-3.8.1-1] flags of SUBSCRIBE',
    versions: V4_5,
    hex: '80 06 0001 0001 61 00',
    reason: 'malformedPacket',
  },
  {
    name: '[MQTT-3.10.1-1] flags of UNSUBSCRIBE',
    versions: V4_5,
    hex: 'a0 05 0001 0001 61',
    reason: 'malformedPacket',
  },
  { name: 'DUP on SUBSCRIBE', versions: V4_5, hex: '8a 06 0001 0001 61 00', reason: 'malformedPacket' },
  {
    name: 'a remaining length of five bytes',
    versions: ALL,
    hex: '30 ffffffff 7f',
    reason: 'malformedPacket',
  },
  {
    name: 'a remaining length beyond the limit',
    versions: ALL,
    hex: '30 ffffff7f',
    reason: 'packetTooLarge',
  },
  {
    name: '[MQTT-2.1.3-1] flags of CONNECT',
    versions: V4_5,
    hex: '12 0c 0004 4d515454 04 02 0000 0000',
    reason: 'malformedPacket',
  },
  { name: '[MQTT-3.3.1-4] QoS 3', versions: ALL, hex: '36 05 0001 61 0001', reason: 'malformedPacket' },
  {
    name: '[MQTT-3.3.1-2] DUP with QoS 0',
    versions: V4_5,
    hex: '38 04 0001 61 00',
    reason: 'malformedPacket',
  },
  {
    name: '[MQTT-2.2.1-3] packet id 0',
    versions: ALL,
    hex: '32 06 0001 61 0000 00',
    reason: 'protocolError',
  },
  { name: '[MQTT-2.2.1-3] PUBACK of 0', versions: ALL, hex: '40 02 0000', reason: 'protocolError' },
  { name: '[MQTT-3.3.2-2] a wildcard', versions: OLD, hex: '30 05 0003 612f23', reason: 'invalidTopicName' },
  {
    name: '[MQTT-3.3.2-2] a wildcard',
    versions: V5,
    hex: '30 06 0003 612f2b 00',
    reason: 'invalidTopicName',
  },
  { name: '[MQTT-4.7.3-1] an empty topic', versions: OLD, hex: '30 02 0000', reason: 'protocolError' },
  { name: '[MQTT-4.7.3-1] no topic, no alias', versions: V5, hex: '30 03 0000 00', reason: 'protocolError' },
  { name: '[MQTT-1.5.4-2] NUL in a topic', versions: OLD, hex: '30 03 0001 00', reason: 'malformedPacket' },
  { name: '[MQTT-1.5.4-1] a surrogate', versions: OLD, hex: '30 05 0003 eda080', reason: 'malformedPacket' },
  { name: '[MQTT-1.5.4-1] no UTF-8', versions: OLD, hex: '30 03 0001 ff', reason: 'malformedPacket' },
  { name: '[MQTT-3.3.2-1] a topic', versions: V5, hex: '30 04 0001 ff 00', reason: 'malformedPacket' },
  {
    name: '[MQTT-4.7.3-2] NUL in a filter',
    versions: V4,
    hex: '82 06 0001 0001 00 00',
    reason: 'malformedPacket',
  },
  { name: '[MQTT-3.8.3-1] a filter', versions: V4, hex: '82 06 0001 0001 ff 00', reason: 'malformedPacket' },
  { name: '[MQTT-3.10.3-1] a filter', versions: V4, hex: 'a2 05 0001 0001 ff', reason: 'malformedPacket' },
  {
    name: '[MQTT-3.3.2-13] a response topic',
    versions: V5,
    hex: '30 08 0001 61 04 08 0001 ff',
    reason: 'malformedPacket',
  },
  {
    name: '[MQTT-3.3.2-19] a content type',
    versions: V5,
    hex: '30 08 0001 61 04 03 0001 ff',
    reason: 'malformedPacket',
  },
  {
    name: '[MQTT-3.1.3-4] a client id',
    versions: ALL,
    hex: '10 0d 0004 4d515454 04 02 0000 0001 ff',
    reason: 'malformedPacket',
  },
  {
    name: '[MQTT-3.1.3-11] a will topic',
    versions: ALL,
    hex: '10 11 0004 4d515454 04 06 0000 0000 0001 ff 0000',
    reason: 'malformedPacket',
  },
  {
    name: '[MQTT-3.1.3-12] a user name',
    versions: ALL,
    hex: '10 0f 0004 4d515454 04 82 0000 0000 0001 ff',
    reason: 'malformedPacket',
  },
  { name: 'a topic over its end', versions: ALL, hex: '30 03 0004 61', reason: 'malformedPacket' },
  { name: 'PUBLISH without a topic length', versions: ALL, hex: '30 01 00', reason: 'malformedPacket' },
  { name: '[MQTT-3.3.2-8] alias 0', versions: V5, hex: '30 06 0000 03 23 0000', reason: 'invalidTopicAlias' },
  {
    name: '[MQTT-3.3.2-14] a response topic with wildcards',
    versions: V5,
    hex: '30 08 0001 61 04 08 0001 23',
    reason: 'protocolError',
  },
  { name: 'a payload format of 2', versions: V5, hex: '30 06 0001 61 02 01 02', reason: 'protocolError' },
  { name: 'a property twice', versions: V5, hex: '30 08 0001 61 04 01 01 01 01', reason: 'protocolError' },
  { name: 'an unknown property', versions: V5, hex: '30 06 0001 61 02 7e 00', reason: 'malformedPacket' },
  {
    name: 'a property without place',
    versions: V5,
    hex: '30 06 0001 61 02 17 00',
    reason: 'malformedPacket',
  },
  { name: 'properties over the end', versions: V5, hex: '30 05 0001 61 05 01', reason: 'malformedPacket' },
  { name: 'a cut property', versions: V5, hex: '30 06 0001 61 02 02 00', reason: 'malformedPacket' },
  {
    name: '[MQTT-1.5.5-1] a length that is too long',
    versions: V5,
    hex: '30 05 0001 61 8000',
    reason: 'malformedPacket',
  },
  { name: '[MQTT-3.8.3-2] no filter', versions: OLD, hex: '82 02 0001', reason: 'protocolError' },
  { name: '[MQTT-3.8.3-2] no filter', versions: V5, hex: '82 03 0001 00', reason: 'protocolError' },
  { name: '[MQTT-3.10.3-2] no filter', versions: OLD, hex: 'a2 02 0001', reason: 'protocolError' },
  { name: '[MQTT-3.10.3-2] no filter', versions: V5, hex: 'a2 03 0001 00', reason: 'protocolError' },
  {
    name: '[MQTT-3.8.3-5] reserved bits',
    versions: V4,
    hex: '82 06 0001 0001 61 04',
    reason: 'malformedPacket',
  },
  {
    name: '[MQTT-3.8.3-5] reserved bits',
    versions: V5,
    hex: '82 07 0001 00 0001 61 40',
    reason: 'malformedPacket',
  },
  { name: 'SUBSCRIBE with QoS 3', versions: OLD, hex: '82 06 0001 0001 61 03', reason: 'malformedPacket' },
  { name: 'Retain Handling 3', versions: V5, hex: '82 07 0001 00 0001 61 30', reason: 'protocolError' },
  {
    name: '[MQTT-3.8.3-4] No Local on a share',
    versions: V5,
    hex: '82 10 0001 00 000a 2473686172652f672f61 04',
    reason: 'protocolError',
  },
  {
    name: 'subscription identifier 0',
    versions: V5,
    hex: '82 09 0001 02 0b 00 0001 61 00',
    reason: 'protocolError',
  },
  {
    name: 'two subscription identifiers',
    versions: V5,
    hex: '82 0b 0001 04 0b 01 0b 02 0001 61 00',
    reason: 'protocolError',
  },
  { name: 'bytes behind a PUBACK', versions: OLD, hex: '40 03 0001 00', reason: 'malformedPacket' },
  { name: 'bytes behind a PINGREQ', versions: ALL, hex: 'c0 01 00', reason: 'malformedPacket' },
  { name: 'a PUBACK reason of others', versions: V5, hex: '40 03 0001 92', reason: 'protocolError' },
  { name: 'a DISCONNECT reason of others', versions: V5, hex: 'e0 01 85', reason: 'protocolError' },
  {
    name: '[MQTT-3.1.2-1] another protocol',
    versions: ALL,
    hex: '10 0c 0004 4d515455 04 02 0000 0000',
    reason: 'unsupportedVersion',
  },
  {
    name: '[MQTT-3.1.2-2] another level',
    versions: ALL,
    hex: '10 0c 0004 4d515454 06 02 0000 0000',
    reason: 'unsupportedVersion',
  },
  {
    name: '[MQTT-3.1.2-3] the reserved flag',
    versions: ALL,
    hex: '10 0c 0004 4d515454 04 03 0000 0000',
    reason: 'malformedPacket',
  },
  {
    name: '[MQTT-3.1.2-12] will QoS 3',
    versions: ALL,
    hex: '10 0c 0004 4d515454 04 1e 0000 0000',
    reason: 'malformedPacket',
  },
  {
    name: '[MQTT-3.1.2-11] will QoS without will',
    versions: ALL,
    hex: '10 0c 0004 4d515454 04 0a 0000 0000',
    reason: 'malformedPacket',
  },
  {
    name: '[MQTT-3.1.2-13] will retain without will',
    versions: ALL,
    hex: '10 0c 0004 4d515454 04 22 0000 0000',
    reason: 'malformedPacket',
  },
  {
    name: 'a password without a user name in 3.1.1',
    versions: ALL,
    hex: '10 0f 0004 4d515454 04 42 0000 0000 0001 70',
    reason: 'malformedPacket',
  },
  {
    name: 'bytes behind a CONNECT',
    versions: ALL,
    hex: '10 0d 0004 4d515454 04 02 0000 0000 00',
    reason: 'malformedPacket',
  },
  {
    name: 'receive maximum 0',
    versions: ALL,
    hex: '10 10 0004 4d515454 05 02 0000 03 21 0000 0000',
    reason: 'protocolError',
  },
  {
    name: 'maximum packet size 0',
    versions: ALL,
    hex: '10 12 0004 4d515454 05 02 0000 05 27 00000000 0000',
    reason: 'protocolError',
  },
  {
    name: 'authentication data without a method',
    versions: ALL,
    hex: '10 11 0004 4d515454 05 02 0000 04 16 0001 61 0000',
    reason: 'protocolError',
  },
  { name: '[MQTT-3.2.2-1] acknowledge flags', versions: OLD, hex: '20 02 02 00', reason: 'malformedPacket' },
];
