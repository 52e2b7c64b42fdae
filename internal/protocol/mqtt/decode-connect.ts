import { MqttError } from './mqtt-error.ts';
import {
  BRIDGE_BIT,
  type Connack,
  type Connect,
  type ConnectWill,
  PacketType,
  type Qos,
  type Version,
} from './packet.ts';
import { NO_PROPERTIES, readProperties } from './properties.ts';
import type { FieldReader } from './reader.ts';
import { mayCarry } from './reason-codes.ts';

const RESERVED = 0x01;
const CLEAN_START = 0x02;
const WILL = 0x04;
const WILL_QOS_SHIFT = 3;
const WILL_RETAIN = 0x20;
const PASSWORD = 0x40;
const USER_NAME = 0x80;
const SESSION_PRESENT = 0x01;

/** What a CONNECT says it speaks. */
interface ProtocolLevel {
  version: Version;
  isBridge: boolean;
}

/**
 * Reads CONNECT, which itself says its version.
 *
 *     [protocol name][bridge:1 bit][level:7 bits][flags:1][keep alive:2][properties, in version 5]
 *     [client id][will properties, in version 5][will topic][will payload][user name][password]
 *
 * Version 3.1 lets the remaining length decide which of the last two are there, whatever the flags say, and disregards
 * what no flag announces (MQTT 3.1, section 3.1).
 *
 * @param fixedFlags those of the fixed header, which only version 3.1 does not use.
 * @throws MqttError `unsupportedVersion` for a protocol level that there is not.
 */
export function decodeConnect(reader: FieldReader, fixedFlags: number): Connect {
  const { version, isBridge } = levelOf(reader);
  // [MQTT-2.1.3-1]
  if (fixedFlags !== 0 && version !== 3)
    throw reader.malformed(`the fixed header has flags ${fixedFlags}, not 0`);
  const flags = reader.uint8('connect flags');
  checkFlags(reader, flags, version);
  const keepAliveS = reader.uint16('keep alive');
  const properties = version === 5 ? readProperties(reader, 'connect') : NO_PROPERTIES;
  const connect: Connect = {
    type: PacketType.connect,
    version,
    cleanStart: (flags & CLEAN_START) !== 0,
    keepAliveS,
    clientId: reader.text('client identifier'),
    properties,
  };
  if (isBridge) connect.isBridge = true;
  if ((flags & WILL) !== 0) connect.will = willOf(reader, flags, version);
  const isThere = () => version !== 3 || reader.remaining > 0;
  if ((flags & USER_NAME) !== 0 && isThere()) connect.userName = reader.text('user name');
  if ((flags & PASSWORD) !== 0 && isThere()) {
    checkHasUser(reader, flags, version);
    connect.password = reader.binary('password');
  }
  if (version === 3) reader.rest();
  return connect;
}

/** Names and levels (MQTT 3.1, section 3.1; MQTT 5, section 3.1.2). */
function levelOf(reader: FieldReader): ProtocolLevel {
  const name = reader.text('protocol name');
  // [MQTT-3.1.2-1]
  if (name !== 'MQTT' && name !== 'MQIsdp') {
    throw new MqttError('unsupportedVersion', 'CONNECT: the protocol name is not MQTT');
  }
  const byte = reader.uint8('protocol version');
  const level = byte & ~BRIDGE_BIT;
  const isKnown = name === 'MQTT' ? level === 4 || level === 5 : level === 3;
  // [MQTT-3.1.2-2]
  if (!isKnown) throw new MqttError('unsupportedVersion', `CONNECT: ${name} has no version ${byte} here`);
  return { version: level as Version, isBridge: (byte & BRIDGE_BIT) !== 0 };
}

/**
 * The version in whose words a CONNECT wants to be answered that may not be readable: the level that it names, or the
 * nearest one that there is. Undefined where it is not MQTT.
 *
 * @param body the CONNECT behind its fixed header.
 */
export function claimedVersion(body: Uint8Array): Version | undefined {
  const nameEnd = 2 + ((body[0] << 8) | body[1]);
  const name = Buffer.from(body.subarray(2, nameEnd)).toString('latin1');
  const level = body[nameEnd];
  if (level === undefined) return undefined;
  // No version of this name has anything else in its CONNACK than 3.1.
  if (name === 'MQIsdp') return 3;
  if (name !== 'MQTT') return undefined;
  return (level & ~BRIDGE_BIT) >= 5 ? 5 : 4;
}

function checkFlags(reader: FieldReader, flags: number, version: Version): void {
  // [MQTT-3.1.2-3]; version 3.1 does not use the bit.
  if ((flags & RESERVED) !== 0 && version !== 3) throw reader.malformed('the reserved flag is set');
  const hasWill = (flags & WILL) !== 0;
  // Version 3.1 disregards what is said of a will that there is not.
  if (version === 3 && !hasWill) return;
  const willQos = (flags >>> WILL_QOS_SHIFT) & 3;
  // [MQTT-3.1.2-12]
  if (willQos === 3) throw reader.malformed('will QoS 3');
  // [MQTT-3.1.2-11] [MQTT-3.1.2-13]
  if (!hasWill && (willQos !== 0 || (flags & WILL_RETAIN) !== 0)) {
    throw reader.malformed('will QoS or will retain without a will');
  }
}

/** A password needs a user name (MQTT 3.1, section 3.1; MQTT 3.1.1, section 3.1.2.9), but for version 5. */
function checkHasUser(reader: FieldReader, flags: number, version: Version): void {
  if (version !== 5 && (flags & USER_NAME) === 0) throw reader.malformed('a password without a user name');
}

function willOf(reader: FieldReader, flags: number, version: Version): ConnectWill {
  const properties = version === 5 ? readProperties(reader, 'will') : NO_PROPERTIES;
  const topic = reader.text('will topic');
  return {
    topic,
    payload: reader.binary('will payload'),
    qos: ((flags >>> WILL_QOS_SHIFT) & 3) as Qos,
    retain: (flags & WILL_RETAIN) !== 0,
    properties,
  };
}

/** Reads CONNACK: `[flags:1][reason code:1][properties, in version 5]`. */
export function decodeConnack(reader: FieldReader, version: Version): Connack {
  const flags = reader.uint8('acknowledge flags');
  // [MQTT-3.2.2-1]
  if ((flags & ~SESSION_PRESENT) !== 0) throw reader.malformed('reserved acknowledge flags');
  const reasonCode = reader.uint8('reason code');
  if (version === 5 ? !mayCarry('connack', reasonCode) : reasonCode > 5) {
    throw reader.violated(`reason code ${reasonCode}`);
  }
  return {
    type: PacketType.connack,
    sessionPresent: (flags & SESSION_PRESENT) !== 0,
    reasonCode,
    properties: version === 5 ? readProperties(reader, 'connack') : NO_PROPERTIES,
  };
}
