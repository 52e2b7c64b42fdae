import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../lib/clock.ts';
import { groupsPerSweepTurn, maxOffsetMetadataCharacters } from '../limits/groups.ts';
import type { TopicPartition } from '../store/log-store.ts';
import type { CommittedOffsets } from './committed-offsets.ts';
import { expiredOffsets } from './expiry.ts';
import type { Group } from './group.ts';
import type { GroupTable } from './group-table.ts';
import { CONSUMER, type CommitRequest, type GroupError, type GroupOutcome } from './group-types.ts';
import type { Joins } from './join.ts';
import type { KeptGroups } from './kept-groups.ts';
import type { GroupClient } from './presence.ts';

/** The services that offsets share with the rest of the groups. */
export interface GroupOffsetsParts {
  readonly table: GroupTable;
  readonly joins: Joins;
  readonly committed: CommittedOffsets;
  readonly kept: KeptGroups;
  readonly clock: Clock;
  readonly subscribedTopics: (metadata: Uint8Array) => readonly string[];
}

/** The rules for the offsets of groups: who may commit, which may be deleted, which are too old. */
export class GroupOffsets {
  readonly #parts: GroupOffsetsParts;

  constructor(parts: GroupOffsetsParts) {
    this.#parts = parts;
  }

  /** Resolves after the store keeps them; one outcome for each offset. */
  async commit(request: CommitRequest, client: GroupClient): Promise<readonly GroupOutcome[]> {
    const { table, committed, clock } = this.#parts;
    const { offsets, groupId } = request;
    const error = this.#problemOfCommit(request, client);
    if (error !== undefined) return offsets.map(() => error);
    const outcomes = offsets.map(problemOfOffset);
    const good = offsets.filter((_, index) => outcomes[index] === 'none');
    if (good.length === 0) return outcomes;
    const saved = await committed
      .commit(groupId, good, clock.now())
      .catch((): GroupOutcome => 'coordinatorNotAvailable');
    // It may have been deleted while this was on its way.
    if (saved === 'none' && committed.has(groupId) && table.get(groupId) === undefined) table.add(groupId);
    return outcomes.map((outcome) => (outcome === 'none' ? saved : outcome));
  }

  /** Deletes committed offsets; one outcome for each partition, or what is wrong with all. */
  async delete(
    groupId: string,
    partitions: readonly TopicPartition[],
  ): Promise<readonly GroupOutcome[] | GroupError> {
    if (groupId === '') return 'invalidGroupId';
    const group = this.#parts.table.get(groupId);
    if (group === undefined) return 'groupIdNotFound';
    if (group.state !== 'Empty' && group.protocolType !== CONSUMER) return 'nonEmptyGroup';
    const isSubscribed = this.#subscriptions(group);
    const outcomes = partitions.map(({ topic }) => (isSubscribed(topic) ? 'groupSubscribedToTopic' : 'none'));
    try {
      await this.#parts.committed.delete(
        groupId,
        partitions.filter((_, index) => outcomes[index] === 'none'),
      );
    } catch {
      return 'coordinatorNotAvailable';
    }
    return outcomes;
  }

  /** Deletes a group that is empty, with its offsets. */
  async deleteGroup(groupId: string): Promise<GroupOutcome> {
    const { table, committed, kept } = this.#parts;
    const group = table.get(groupId);
    if (group === undefined) return 'groupIdNotFound';
    if (group.state !== 'Empty') return 'nonEmptyGroup';
    try {
      await committed.deleteGroup(groupId);
    } catch {
      return 'coordinatorNotAvailable';
    }
    // Somebody may have joined or committed meanwhile.
    if (group.state === 'Empty' && !committed.has(groupId)) table.drop(group);
    else kept.note(groupId);
    return 'none';
  }

  /**
   * Deletes offsets that are too old, and groups that nothing is left of. Rejects with the store's error.
   *
   * @param nowMs milliseconds since 1970.
   */
  async sweep(nowMs: number): Promise<void> {
    const groups = [...this.#parts.table.values()];
    for (let begin = 0; begin < groups.length; begin += groupsPerSweepTurn) {
      await Promise.all(
        groups.slice(begin, begin + groupsPerSweepTurn).map((group) => this.#sweepGroup(group, nowMs)),
      );
      await nextTurn();
    }
  }

  async #sweepGroup(group: Group, nowMs: number): Promise<void> {
    const { table, committed } = this.#parts;
    const offsets = committed.of(group.id);
    if (offsets.size > 0) {
      await committed.delete(group.id, expiredOffsets(group, offsets, this.#subscriptions(group), nowMs));
    }
    table.dropIfIdle(group);
  }

  #problemOfCommit(request: CommitRequest, client: GroupClient): GroupError | undefined {
    const { table, joins } = this.#parts;
    const { groupId, memberId, groupInstanceId, generationId } = request;
    const group = table.get(groupId);
    if (group === undefined) {
      if (generationId >= 0) return request.knowsGroupIdNotFound ? 'groupIdNotFound' : 'illegalGeneration';
      return table.getOrAdd(groupId) === undefined ? 'groupMaxSizeReached' : undefined;
    }
    if (generationId < 0 && group.state === 'Empty') return undefined;
    if (generationId < 0 && memberId === '' && groupInstanceId === null) return 'unknownMemberId';
    const member = group.identify(request);
    if (typeof member === 'string') return member;
    if (generationId !== group.generationId) return 'illegalGeneration';
    if (group.state === 'CompletingRebalance') return 'rebalanceInProgress';
    joins.heard(group, member, client);
    return undefined;
  }

  /** Whether a member of the group reads a topic. */
  #subscriptions(group: Group): (topic: string) => boolean {
    if (group.protocolType !== CONSUMER || group.state === 'Empty') return () => false;
    let topics: Set<string> | 'all' | undefined;
    return (topic) => {
      topics ??= this.#subscribedTopics(group);
      return topics === 'all' || topics.has(topic);
    };
  }

  /** All where a member cannot be understood. */
  #subscribedTopics(group: Group): Set<string> | 'all' {
    const topics = new Set<string>();
    try {
      for (const member of group.members.values()) {
        const metadata = member.metadata(group.protocolName);
        for (const topic of this.#parts.subscribedTopics(metadata)) topics.add(topic);
      }
    } catch {
      return 'all';
    }
    return topics;
  }
}

function problemOfOffset({ offset, metadata }: { offset: number; metadata: string }): GroupOutcome {
  if (metadata.length > maxOffsetMetadataCharacters) return 'offsetMetadataTooLarge';
  // Such an offset is none that a log ever gives out, and it could not be kept exactly.
  return Number.isSafeInteger(offset) ? 'none' : 'offsetOutOfRange';
}
