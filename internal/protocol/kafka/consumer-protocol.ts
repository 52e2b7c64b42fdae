/**
 * The opaque bytes that consumers put into JoinGroup and SyncGroup: which topics a member wants, and which
 * partitions it was given. Two bytes of version, then the message.
 */
import { codecOf } from './codec.ts';
import { KafkaReader } from './reader.ts';
import {
  array,
  bytes,
  defineMessage,
  type InputOf,
  int32,
  type Message,
  string,
  struct,
  type ValueOf,
} from './schema.ts';
import { KafkaWriter } from './writer.ts';

/** The protocol type under which consumers join a group. */
export const CONSUMER_PROTOCOL_TYPE = 'consumer';

const topicPartitions = struct({ topic: string(), partitions: array(int32()) });

export const consumerSubscription = defineMessage({
  name: 'consumer subscription',
  versions: '0-3',
  fields: {
    topics: array(string()),
    userData: bytes({ nullable: true, default: null }),
    ownedPartitions: array(topicPartitions, { versions: '1+' }),
    generationId: int32({ versions: '2+', default: -1 }),
    rackId: string({ versions: '3+', nullable: true, default: null }),
  },
});

export const consumerAssignment = defineMessage({
  name: 'consumer assignment',
  versions: '0-3',
  fields: {
    assignedPartitions: array(topicPartitions),
    userData: bytes({ nullable: true, default: null }),
  },
});

export type ConsumerSubscription = ValueOf<typeof consumerSubscription>;
export type ConsumerAssignment = ValueOf<typeof consumerAssignment>;

/**
 * Reads a member's metadata of JoinGroup.
 *
 * @throws KafkaProtocolError
 */
export function decodeSubscription(metadata: Uint8Array): ConsumerSubscription {
  return decodeVersioned(consumerSubscription, metadata);
}

/**
 * Reads a member's assignment of SyncGroup.
 *
 * @throws KafkaProtocolError
 */
export function decodeAssignment(assignment: Uint8Array): ConsumerAssignment {
  return decodeVersioned(consumerAssignment, assignment);
}

/**
 * The topics that a consumer wants, from its metadata: its first field, so that nothing behind it has to be understood.
 *
 * @throws KafkaProtocolError for what is no subscription.
 */
export function subscribedTopics(metadata: Uint8Array): readonly string[] {
  const reader = new KafkaReader(metadata);
  reader.int16();
  return codecOf(consumerSubscription, 0).read(reader).topics;
}

/**
 * The partitions in a member's assignment.
 *
 * @throws KafkaProtocolError for what is no assignment.
 */
export function assignedPartitions(assignment: Uint8Array): { topic: string; partition: number }[] {
  return decodeAssignment(assignment).assignedPartitions.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}

/** @throws KafkaProtocolError for what this version cannot carry. */
export function encodeSubscription(version: number, value: InputOf<typeof consumerSubscription>): Buffer {
  return encodeVersioned(consumerSubscription, version, value);
}

/** @throws KafkaProtocolError for what this version cannot carry. */
export function encodeAssignment(version: number, value: InputOf<typeof consumerAssignment>): Buffer {
  return encodeVersioned(consumerAssignment, version, value);
}

/** Versions that are newer than the last one begin with its fields: later ones may only add. */
function decodeVersioned<M extends Message>(message: M, value: Uint8Array): ValueOf<M> {
  const reader = new KafkaReader(value);
  const version = reader.int16();
  if (version < 0) throw reader.fault('invalid-value', `version ${version} of ${message.name}`, 0);
  return codecOf(message, Math.min(version, message.versions.max)).read(reader);
}

function encodeVersioned<M extends Message>(message: M, version: number, value: InputOf<M>): Buffer {
  const writer = new KafkaWriter();
  writer.int16(version);
  codecOf(message, version).write(writer, value);
  return Buffer.concat(writer.finish());
}
