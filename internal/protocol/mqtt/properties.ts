import { MqttError } from './mqtt-error.ts';
import type { FieldReader } from './reader.ts';
import type { ReasonName } from './reason-codes.ts';
import { FieldWriter } from './writer.ts';

/** Properties of a packet of version 5. Those that it does not have are left out. */
export interface Properties {
  payloadFormatIndicator?: number;
  messageExpiryIntervalS?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Uint8Array;
  subscriptionIdentifiers?: number[];
  sessionExpiryIntervalS?: number;
  assignedClientIdentifier?: string;
  serverKeepAliveS?: number;
  authenticationMethod?: string;
  authenticationData?: Uint8Array;
  requestProblemInformation?: number;
  willDelayIntervalS?: number;
  requestResponseInformation?: number;
  responseInformation?: string;
  serverReference?: string;
  reasonString?: string;
  receiveMaximum?: number;
  topicAliasMaximum?: number;
  topicAlias?: number;
  maximumQos?: number;
  retainAvailable?: number;
  userProperties?: [name: string, value: string][];
  maximumPacketSizeBytes?: number;
  wildcardSubscriptionAvailable?: number;
  subscriptionIdentifierAvailable?: number;
  sharedSubscriptionAvailable?: number;
}

/** What properties may stand on; `will` is the part of CONNECT. */
export type PropertyCarrier =
  | 'connect'
  | 'will'
  | 'connack'
  | 'publish'
  | 'puback'
  | 'pubrec'
  | 'pubrel'
  | 'pubcomp'
  | 'subscribe'
  | 'suback'
  | 'unsubscribe'
  | 'unsuback'
  | 'disconnect'
  | 'auth';

type PropertyType = 'byte' | 'uint16' | 'uint32' | 'varint' | 'text' | 'binary' | 'pair';

interface PropertyEntry {
  name: keyof Properties;
  type: PropertyType;
  on: readonly PropertyCarrier[];
  /** What makes a value wrong that the type allows, as a text. */
  problem?: (value: never) => string | undefined;
  /** What a wrong value is called; a protocol error unless given. */
  reason?: ReasonName;
}

const ANSWERS = ['connack', 'puback', 'pubrec', 'pubrel', 'pubcomp', 'suback', 'unsuback'] as const;
const MESSAGES = ['publish', 'will'] as const;

const flag = (value: number) => (value > 1 ? `is 0 or 1, not ${value}` : undefined);
const notZero = (value: number) => (value === 0 ? 'is not 0' : undefined);
const noWildcards = (value: string) =>
  /[+#]/.test(value) || value === '' ? 'is a topic, without wildcards' : undefined;

/** Every property by its identifier (MQTT 5, table 2-4). */
const PROPERTIES: Readonly<Record<number, PropertyEntry>> = {
  1: { name: 'payloadFormatIndicator', type: 'byte', on: MESSAGES, problem: flag },
  2: { name: 'messageExpiryIntervalS', type: 'uint32', on: MESSAGES },
  3: { name: 'contentType', type: 'text', on: MESSAGES },
  // [MQTT-3.3.2-13] [MQTT-3.3.2-14]
  8: { name: 'responseTopic', type: 'text', on: MESSAGES, problem: noWildcards },
  9: { name: 'correlationData', type: 'binary', on: MESSAGES },
  11: { name: 'subscriptionIdentifiers', type: 'varint', on: ['publish', 'subscribe'], problem: notZero },
  17: { name: 'sessionExpiryIntervalS', type: 'uint32', on: ['connect', 'connack', 'disconnect'] },
  18: { name: 'assignedClientIdentifier', type: 'text', on: ['connack'] },
  19: { name: 'serverKeepAliveS', type: 'uint16', on: ['connack'] },
  21: { name: 'authenticationMethod', type: 'text', on: ['connect', 'connack', 'auth'] },
  22: { name: 'authenticationData', type: 'binary', on: ['connect', 'connack', 'auth'] },
  23: { name: 'requestProblemInformation', type: 'byte', on: ['connect'], problem: flag },
  24: { name: 'willDelayIntervalS', type: 'uint32', on: ['will'] },
  25: { name: 'requestResponseInformation', type: 'byte', on: ['connect'], problem: flag },
  26: { name: 'responseInformation', type: 'text', on: ['connack'] },
  28: { name: 'serverReference', type: 'text', on: ['connack', 'disconnect'] },
  31: { name: 'reasonString', type: 'text', on: [...ANSWERS, 'disconnect', 'auth'] },
  33: { name: 'receiveMaximum', type: 'uint16', on: ['connect', 'connack'], problem: notZero },
  34: { name: 'topicAliasMaximum', type: 'uint16', on: ['connect', 'connack'] },
  // [MQTT-3.3.2-8]
  35: { name: 'topicAlias', type: 'uint16', on: ['publish'], problem: notZero, reason: 'invalidTopicAlias' },
  36: { name: 'maximumQos', type: 'byte', on: ['connack'], problem: flag },
  37: { name: 'retainAvailable', type: 'byte', on: ['connack'], problem: flag },
  38: {
    name: 'userProperties',
    type: 'pair',
    on: [...ANSWERS, ...MESSAGES, 'connect', 'subscribe', 'unsubscribe', 'disconnect', 'auth'],
  },
  39: { name: 'maximumPacketSizeBytes', type: 'uint32', on: ['connect', 'connack'], problem: notZero },
  40: { name: 'wildcardSubscriptionAvailable', type: 'byte', on: ['connack'], problem: flag },
  41: { name: 'subscriptionIdentifierAvailable', type: 'byte', on: ['connack'], problem: flag },
  42: { name: 'sharedSubscriptionAvailable', type: 'byte', on: ['connack'], problem: flag },
};

/** The table for whoever tests it. */
export const propertyTable = PROPERTIES;

/** Properties of a packet without any. Never changed. */
export const NO_PROPERTIES: Properties = Object.freeze({});

/**
 * Reads a property length and the properties behind it.
 *
 * @throws MqttError `malformedPacket` for one that has no place there, `protocolError` for one that comes twice.
 */
export function readProperties(reader: FieldReader, carrier: PropertyCarrier): Properties {
  const length = reader.varint('property length');
  if (length === 0) return NO_PROPERTIES;
  const part = reader.part(length, 'property length');
  const properties: Properties = {};
  while (part.remaining > 0) readProperty(part, carrier, properties);
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw reader.violated('authentication data without a method');
  }
  return properties;
}

function readProperty(reader: FieldReader, carrier: PropertyCarrier, properties: Properties): void {
  const id = reader.varint('property identifier');
  const entry = PROPERTIES[id];
  if (entry === undefined) throw reader.malformed(`there is no property ${id}`);
  if (!entry.on.includes(carrier)) throw reader.malformed(`property ${entry.name} has no place there`);
  const value = readValue(reader, entry);
  const problem = entry.problem?.(value as never);
  if (problem !== undefined) {
    const place = carrier === 'will' ? 'will' : carrier.toUpperCase();
    throw new MqttError(entry.reason ?? 'protocolError', `${place}: ${entry.name} ${problem}`);
  }
  if (entry.name === 'userProperties') {
    properties.userProperties ??= [];
    properties.userProperties.push(value as [string, string]);
  } else if (entry.name === 'subscriptionIdentifiers') {
    properties.subscriptionIdentifiers ??= [];
    // Only what a server sends has several, one for each subscription that matched.
    if (carrier === 'subscribe' && properties.subscriptionIdentifiers.length > 0) {
      throw reader.violated('a second subscription identifier');
    }
    properties.subscriptionIdentifiers.push(value as number);
  } else {
    if (properties[entry.name] !== undefined) throw reader.violated(`property ${entry.name} comes twice`);
    (properties as Record<string, unknown>)[entry.name] = value;
  }
}

function readValue(reader: FieldReader, { name, type }: PropertyEntry): unknown {
  switch (type) {
    case 'byte':
      return reader.uint8(name);
    case 'uint16':
      return reader.uint16(name);
    case 'uint32':
      return reader.uint32(name);
    case 'varint':
      return reader.varint(name);
    case 'text':
      return reader.text(name);
    case 'binary':
      return reader.binary(name);
    case 'pair':
      return [reader.text(name), reader.text(name)];
  }
}

const BY_NAME = new Map<string, { id: number; type: PropertyType }>();
for (const [id, { name, type }] of Object.entries(PROPERTIES)) BY_NAME.set(name, { id: Number(id), type });

/** Writes a property length and the properties behind it. */
export function writeProperties(writer: FieldWriter, properties: Properties): void {
  if (properties === NO_PROPERTIES) {
    writer.uint8(0);
    return;
  }
  const part = new FieldWriter();
  for (const name in properties) writeProperty(part, name, properties[name as keyof Properties]);
  writer.varint(part.length);
  writer.raw(part.finish());
}

function writeProperty(writer: FieldWriter, name: string, value: unknown): void {
  if (value === undefined) return;
  const { id, type } = BY_NAME.get(name)!;
  const isList = name === 'userProperties' || name === 'subscriptionIdentifiers';
  for (const each of isList ? (value as unknown[]) : [value]) {
    writer.uint8(id);
    writeValue(writer, type, each);
  }
}

function writeValue(writer: FieldWriter, type: PropertyType, value: unknown): void {
  switch (type) {
    case 'byte':
      writer.uint8(value as number);
      break;
    case 'uint16':
      writer.uint16(value as number);
      break;
    case 'uint32':
      writer.uint32(value as number);
      break;
    case 'varint':
      writer.varint(value as number);
      break;
    case 'text':
      writer.text(value as string);
      break;
    case 'binary':
      writer.binary(value as Uint8Array);
      break;
    case 'pair':
      writer.text((value as [string, string])[0]);
      writer.text((value as [string, string])[1]);
  }
}
