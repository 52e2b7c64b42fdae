import type { Access } from '../../../access/access.ts';
import type { Action } from '../../../access/policy.ts';
import type { Logs, TopicLog } from '../../../log/logs.ts';
import { internalTopicProblem, liveTopicOf } from '../../../log/names.ts';
import type { PartitionLog } from '../../../log/partition-log.ts';
import { KEPT_FOR_EVER } from '../../../log/topic-configs.ts';
import { GrpcError, Status } from '../../../protocol/grpc/status.ts';
import { isTopicName, logNameOfTopic } from '../../../protocol/smq/names.ts';
import { DeniedCall } from '../errors.ts';

/** The topics as SMQ's clients see them. The texts of the errors are SMQ's own; its clients know no others. */
export class Topics {
  readonly #logs: Logs;
  readonly #allowsWrites: boolean;

  constructor(logs: Logs, allowsWrites: boolean) {
    this.#logs = logs;
    this.#allowsWrites = allowsWrites;
  }

  /** @throws GrpcError UNKNOWN `remote writes disabled`. */
  checkWrites(): void {
    if (!this.#allowsWrites) throw new GrpcError(Status.UNKNOWN, 'remote writes disabled');
  }

  /** Creates a topic; one that exists stays as it is. */
  async create(name: string, access: Access): Promise<void> {
    if (!isTopicName(name)) throw new GrpcError(Status.UNKNOWN, `invalid topic name: ${name}`);
    const logName = logNameOfTopic(name);
    check(access, 'create', logName);
    checkNotInternal(name, logName);
    // SMQ deletes nothing by itself, however old.
    await this.#logs.topicOrNew(logName, 1, KEPT_FOR_EVER);
  }

  /** @throws GrpcError UNKNOWN where there is no such topic; PERMISSION_DENIED. */
  toWrite(name: string, access: Access): TopicLog {
    return this.#toChange(name, access, 'write');
  }

  /** The partition that is served of a topic. @throws GrpcError as {@link toWrite}. */
  toRead(name: string, access: Access): PartitionLog {
    this.checkRead(name, access);
    return servedPartition(this.#existing(name));
  }

  /** The partition that is served of a topic. @throws GrpcError as {@link toWrite}. */
  toDelete(name: string, access: Access): PartitionLog {
    return servedPartition(this.#toChange(name, access, 'delete'));
  }

  /** @throws GrpcError PERMISSION_DENIED where a topic may not be read, or no longer. */
  checkRead(name: string, access: Access): void {
    check(access, 'read', logNameOfTopic(name));
  }

  /** Whether a topic is still the one that goes by its name. */
  isCurrent(topic: TopicLog): boolean {
    return this.#logs.topic(topic.name) === topic;
  }

  #existing(name: string): TopicLog {
    const topic = this.#logs.topic(logNameOfTopic(name));
    if (topic === undefined) throw topicGone(name);
    return topic;
  }

  #toChange(name: string, access: Access, action: Action): TopicLog {
    check(access, action, logNameOfTopic(name));
    const topic = this.#existing(name);
    checkNotInternal(name, topic.name);
    return topic;
  }
}

/**
 * Asked before it is looked whether there is such a topic: who may not have it does not learn that either.
 *
 * @throws GrpcError PERMISSION_DENIED.
 */
function check(access: Access, action: Action, logName: string): void {
  const topic = liveTopicOf(logName);
  const denied = access.refusal(action, 'topic', topic);
  if (denied === undefined) return;
  throw new DeniedCall(denied, { topic, rule: access.decidingRule(action, 'topic', topic) });
}

/** @throws GrpcError UNKNOWN for a topic that only Kafka writes to. */
function checkNotInternal(name: string, logName: string): void {
  if (internalTopicProblem(logName) !== undefined)
    throw new GrpcError(Status.UNKNOWN, `invalid topic name: ${name}`);
}

/** SMQ's error for a topic that does not exist, or no longer does. */
export function topicGone(name: string): GrpcError {
  return new GrpcError(Status.UNKNOWN, `topic ${name} does not exist`);
}

/** SMQ knows no partitions: of a topic that has several, the first one is served. */
export function servedPartition(topic: TopicLog): PartitionLog {
  return topic.partitions[0]!;
}

/** SMQ's offsets begin at 1, those of a log at 0. */
export const FIRST_OFFSET = 1;

/** Whether a partition holds nothing that can be read. */
export function isEmpty(partition: PartitionLog): boolean {
  return partition.firstOffset >= partition.readableEnd('committed');
}

/** An offset of SMQ's 64 bits as an offset of a log; what a number cannot hold is as far away as it can be. */
export function logOffsetOf(offset: bigint): number {
  const logOffset = Number(offset) - FIRST_OFFSET;
  return Math.min(Math.max(logOffset, -Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}
