/**
 * The records of `__cluster_metadata`, in which a Kafka log directory says which topics, partitions and
 * configurations it has: the number 1, the record's type and its version as varints, then the message.
 */
import { codecOf } from './codec.ts';
import { KafkaReader } from './reader.ts';
import {
  array,
  defineMessage,
  type Fields,
  type InputOf,
  int8,
  int16,
  int32,
  int64,
  type Message,
  string,
  uuid,
  type ValueOf,
  type VersionNotation,
} from './schema.ts';
import { KafkaWriter } from './writer.ts';

/** The resource of a configuration record. */
export const ConfigResourceType = { topic: 2, broker: 4 } as const;

/** The leader of a partition change that changes no leader. */
export const NO_LEADER_CHANGE = -2;

const FRAME_VERSION = 1;

/** The records that are read; all others are skipped. */
export const metadataRecords = {
  topic: record(2, '0', { name: string(), topicId: uuid() }),
  partition: record(3, '0-2', {
    partitionId: int32({ default: -1 }),
    topicId: uuid(),
    replicas: array(int32()),
    isr: array(int32()),
    removingReplicas: array(int32()),
    addingReplicas: array(int32()),
    leader: int32({ default: -1 }),
    leaderRecoveryState: int8({ default: 0, tag: 0 }),
    leaderEpoch: int32({ default: -1 }),
    partitionEpoch: int32({ default: -1 }),
    directories: array(uuid(), { versions: '1+' }),
    eligibleLeaderReplicas: array(int32(), { versions: '2+', nullable: true, default: null, tag: 1 }),
    lastKnownElr: array(int32(), { versions: '2+', nullable: true, default: null, tag: 2 }),
  }),
  /** A null value deletes the key. */
  config: record(4, '0', {
    resourceType: int8(),
    resourceName: string(),
    name: string(),
    value: string({ nullable: true }),
  }),
  /** Null, {@link NO_LEADER_CHANGE} and a recovery state of -1 leave what was. */
  partitionChange: record(5, '0-2', {
    partitionId: int32({ default: -1 }),
    topicId: uuid(),
    isr: array(int32(), { nullable: true, default: null, tag: 0 }),
    leader: int32({ default: NO_LEADER_CHANGE, tag: 1 }),
    replicas: array(int32(), { nullable: true, default: null, tag: 2 }),
    removingReplicas: array(int32(), { nullable: true, default: null, tag: 3 }),
    addingReplicas: array(int32(), { nullable: true, default: null, tag: 4 }),
    leaderRecoveryState: int8({ default: -1, tag: 5 }),
    directories: array(uuid(), { versions: '1+', nullable: true, default: null, tag: 8 }),
    eligibleLeaderReplicas: array(int32(), { versions: '2+', nullable: true, default: null, tag: 6 }),
    lastKnownElr: array(int32(), { versions: '2+', nullable: true, default: null, tag: 7 }),
  }),
  /** Takes the topic's partitions and configuration with it. */
  removeTopic: record(9, '0', { topicId: uuid() }),
  featureLevel: record(12, '0', { name: string(), featureLevel: int16() }),
  producerIds: record(15, '0', {
    brokerId: int32(),
    brokerEpoch: int64({ default: -1 }),
    nextProducerId: int64(),
  }),
  /** The records that follow count when an end comes, and not when an abort does. */
  beginTransaction: record(23, '0', { name: string({ nullable: true, default: null, tag: 0 }) }),
  endTransaction: record(24, '0', {}),
  abortTransaction: record(25, '0', { reason: string({ nullable: true, default: null, tag: 0 }) }),
} as const;

type MetadataRecords = typeof metadataRecords;
export type MetadataRecordKind = keyof MetadataRecords;

/** One record, told apart by its kind. */
export type MetadataRecord = {
  [K in MetadataRecordKind]: { readonly kind: K; readonly value: ValueOf<MetadataRecords[K]['message']> };
}[MetadataRecordKind];

const byType = new Map(
  (Object.keys(metadataRecords) as MetadataRecordKind[]).map((kind) => [metadataRecords[kind].type, kind]),
);

/**
 * Reads the value of a record; undefined for a type that is not among {@link metadataRecords}.
 *
 * @throws KafkaProtocolError `unsupported-version` for a version that is newer than this file.
 */
export function decodeMetadataRecord(value: Uint8Array): MetadataRecord | undefined {
  const reader = new KafkaReader(value);
  const frameVersion = reader.uvarint();
  if (frameVersion !== FRAME_VERSION) {
    throw reader.fault('unsupported-version', `metadata frame of version ${frameVersion}`, 0);
  }
  const kind = byType.get(reader.uvarint());
  const version = reader.uvarint();
  if (kind === undefined) return undefined;
  const message: Message = metadataRecords[kind].message;
  return { kind, value: codecOf(message, version).read(reader) } as MetadataRecord;
}

/** @throws KafkaProtocolError for what this version cannot carry. */
export function encodeMetadataRecord<K extends MetadataRecordKind>(
  kind: K,
  version: number,
  value: InputOf<MetadataRecords[K]['message']>,
): Buffer {
  const { type, message } = metadataRecords[kind];
  const writer = new KafkaWriter();
  writer.uvarint(FRAME_VERSION);
  writer.uvarint(type);
  writer.uvarint(version);
  codecOf<Message>(message, version).write(writer, value);
  return Buffer.concat(writer.finish());
}

function record<F extends Fields>(type: number, versions: VersionNotation, fields: F) {
  const message: Message<F> = defineMessage({
    name: `metadata record ${type}`,
    versions,
    flexibleFrom: 0,
    fields,
  });
  return { type, message };
}
