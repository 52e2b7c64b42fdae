import type { Qos } from '../../lib/qos.ts';
import type { Properties } from './properties.ts';

/** Types of control packets (MQTT 5, section 2.1.2). */
export const PacketType = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const;
export type PacketType = (typeof PacketType)[keyof typeof PacketType];
type TypeName = keyof typeof PacketType;
type TypeOf<Name extends TypeName> = (typeof PacketType)[Name];

/** The name of each type, as the specification writes it. */
export const PACKET_NAMES: readonly string[] = [
  'reserved',
  ...Object.keys(PacketType).map((name) => name.toUpperCase()),
];

/** The largest packet identifier; the smallest is 1 (section 2.2.1). */
export const LAST_PACKET_ID = 65_535;
export const PACKET_ID_BYTES = 2;
/** A PUBACK that says no more than what it acknowledges: its header, and a packet identifier. */
export const PUBACK_BYTES = 2 + PACKET_ID_BYTES;

/** Protocol levels: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0. */
export const VERSIONS = [3, 4, 5] as const;
export type Version = (typeof VERSIONS)[number];

export type { Qos } from '../../lib/qos.ts';

export interface ConnectWill {
  topic: string;
  payload: Uint8Array;
  qos: Qos;
  retain: boolean;
  properties: Properties;
}

export interface Connect {
  type: TypeOf<'connect'>;
  version: Version;
  /** Whether it marks itself as another broker's bridge. */
  isBridge?: boolean;
  /** Clean Session before version 5. */
  cleanStart: boolean;
  /** 0: none. */
  keepAliveS: number;
  clientId: string;
  will?: ConnectWill;
  userName?: string;
  password?: Uint8Array;
  properties: Properties;
}

export interface Connack {
  type: TypeOf<'connack'>;
  sessionPresent: boolean;
  /** A return code before version 5. */
  reasonCode: number;
  properties: Properties;
}

export interface Publish {
  type: TypeOf<'publish'>;
  /** Empty where a topic alias stands for it. */
  topic: string;
  payload: Uint8Array;
  qos: Qos;
  retain: boolean;
  dup: boolean;
  /** 0 with QoS 0, which has none. */
  packetId: number;
  properties: Properties;
}

/** PUBACK, PUBREC, PUBREL and PUBCOMP differ only in their type. */
export interface PublishAnswer {
  type: TypeOf<'puback'> | TypeOf<'pubrec'> | TypeOf<'pubrel'> | TypeOf<'pubcomp'>;
  packetId: number;
  /** 0 before version 5. */
  reasonCode: number;
  properties: Properties;
}

export interface SubscriptionRequest {
  filter: string;
  qos: Qos;
  noLocal: boolean;
  retainAsPublished: boolean;
  /** 0: send retained messages; 1: only for a new subscription; 2: do not. */
  retainHandling: 0 | 1 | 2;
}

export interface Subscribe {
  type: TypeOf<'subscribe'>;
  packetId: number;
  subscriptions: SubscriptionRequest[];
  properties: Properties;
}

export interface Suback {
  type: TypeOf<'suback'>;
  packetId: number;
  reasonCodes: number[];
  properties: Properties;
}

export interface Unsubscribe {
  type: TypeOf<'unsubscribe'>;
  packetId: number;
  filters: string[];
  properties: Properties;
}

export interface Unsuback {
  type: TypeOf<'unsuback'>;
  packetId: number;
  /** Empty before version 5. */
  reasonCodes: number[];
  properties: Properties;
}

export interface Ping {
  type: TypeOf<'pingreq'> | TypeOf<'pingresp'>;
}

export interface Disconnect {
  type: TypeOf<'disconnect'>;
  /** 0 before version 5. */
  reasonCode: number;
  properties: Properties;
}

export interface Auth {
  type: TypeOf<'auth'>;
  reasonCode: number;
  properties: Properties;
}

export type Packet =
  | Connect
  | Connack
  | Publish
  | PublishAnswer
  | Subscribe
  | Suback
  | Unsubscribe
  | Unsuback
  | Ping
  | Disconnect
  | Auth;

/** The bit of CONNECT's protocol level by which bridges of mosquitto and others mark themselves. */
export const BRIDGE_BIT = 0x80;
/** Bits of PUBLISH's first byte. */
export const DUP_BIT = 0x08;
export const RETAIN_BIT = 0x01;
export const QOS_SHIFT = 1;

/** What the four low bits of the first byte are for every other type. [MQTT-2.1.3-1] */
export function fixedFlags(type: number): number {
  return type === PacketType.pubrel || type === PacketType.subscribe || type === PacketType.unsubscribe
    ? 0x02
    : 0x00;
}
