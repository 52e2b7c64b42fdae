import { type Clock, type ClockTimer, systemClock } from '../lib/clock.ts';
import { DeadlineTimer } from '../lib/deadline-timer.ts';
import {
  groupSweepEveryMs,
  maxGroupSessionTimeoutMs,
  maxGroupsBytes,
  minGroupSessionTimeoutMs,
} from '../limits/groups.ts';
import type { LogStore, StoredState, TopicPartition } from '../store/log-store.ts';
import { CommittedOffsets, type OffsetStore, type OffsetsByTopic } from './committed-offsets.ts';
import { type Group, type GroupMemory, refusedJoin } from './group.ts';
import { GroupOffsets } from './group-offsets.ts';
import { readGroup } from './group-record.ts';
import { GroupTable } from './group-table.ts';
import type {
  CommitRequest,
  GroupDescription,
  GroupError,
  GroupLag,
  GroupOutcome,
  HeartbeatRequest,
  JoinRequest,
  JoinResult,
  LeavingMember,
  ListedGroup,
  OffsetReset,
  ResetOffset,
  SyncRequest,
  SyncResult,
} from './group-types.ts';
import { Joins } from './join.ts';
import { KeptGroups, type MemberStore } from './kept-groups.ts';
import type { Member } from './member.ts';
import { type GroupClient, Presence } from './presence.ts';
import { GroupProgress, type ReadPartitions } from './progress.ts';
import { answerSync, type GroupLog, Rebalance, refusedSync } from './rebalance.ts';

/** The parts that groups are made from. */
export interface CoordinatorParts {
  readonly store: OffsetStore & MemberStore & Pick<LogStore, 'onEvent'>;
  /** The stored state of groups. */
  readonly stored: Pick<StoredState, 'groups' | 'groupMembers'>;
  /**
   * The topics that a consumer wants, from what it said when it joined. May throw where that cannot be read: its group
   * then counts as reading every topic.
   */
  readonly subscribedTopics: (metadata: Uint8Array) => readonly string[];
  /** The partitions in an assignment. May throw where that cannot be read. */
  readonly assignedPartitions: (assignment: Uint8Array) => readonly TopicPartition[];
  readonly partitions: ReadPartitions;
  readonly log: GroupLog;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

/**
 * The coordinator of all groups: who is a member, who leads, and how far each group has read. What they committed and who is in
 * them outlasts it: members that come back, or come to another node that goes on with what the store has, find their
 * generation and their assignment.
 */
export class Coordinator {
  readonly #log: GroupLog;
  readonly #clock: Clock;
  readonly #deadlines: DeadlineTimer;
  readonly #memory: GroupMemory = { bytes: 0 };
  readonly #kept: KeptGroups;
  readonly #committed: CommittedOffsets;
  readonly #rebalance: Rebalance;
  readonly #joins: Joins;
  readonly #table: GroupTable;
  readonly #offsets: GroupOffsets;
  readonly #progress: GroupProgress;
  readonly #sweep: ClockTimer;
  readonly #endEvents: () => void;
  #isClosed = false;

  constructor(options: CoordinatorParts) {
    const { store, stored, subscribedTopics, log, clock = systemClock } = options;
    const { assignedPartitions, partitions } = options;
    const deadlines = new DeadlineTimer(clock);
    const memory = this.#memory;
    const presence = new Presence();
    const committed = new CommittedOffsets(store, stored.groups);
    const kept = new KeptGroups(store, (groupId) => this.#table.get(groupId), stored.groupMembers.keys());
    const rebalance = new Rebalance(presence, kept, log, clock);
    const joins = new Joins({ deadlines, presence, rebalance, memory });
    const isKept = (groupId: string) => committed.has(groupId);
    const table = new GroupTable({ deadlines, rebalance, memory, kept, isKept });
    this.#log = log;
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#kept = kept;
    this.#committed = committed;
    this.#rebalance = rebalance;
    this.#joins = joins;
    this.#table = table;
    this.#offsets = new GroupOffsets({ table, joins, committed, kept, subscribedTopics, clock });
    this.#progress = new GroupProgress({ table, committed, partitions, assignedPartitions, clock });
    for (const [groupId, record] of stored.groupMembers) this.#restore(groupId, record);
    this.#addStoredGroups();
    this.#endEvents = store.onEvent((event) => {
      if (event.kind !== 'recovered') return;
      const { groups, groupMembers } = event.state;
      if (groups !== undefined) committed.replaceAll(groups);
      this.#addStoredGroups();
      if (groupMembers !== undefined) kept.catchUp(groupMembers);
    });
    this.#sweep = clock.every(groupSweepEveryMs, () => void this.sweep(clock.now()));
  }

  /** Refuses who waits, and whoever comes. */
  close(): void {
    this.#isClosed = true;
    this.#endEvents();
    this.#sweep.cancel();
    this.#kept.close();
    for (const group of this.#table.values()) this.#rebalance.abandon(group);
    this.#deadlines.close();
  }

  /** Answered when the group has settled who is in it; at once where the client's connection closes before. */
  join(request: JoinRequest, client: GroupClient): Promise<JoinResult> {
    const { groupId, memberId, sessionTimeoutMs } = request;
    const refuse = (error: GroupError) => Promise.resolve(refusedJoin(error, memberId));
    if (this.#isClosed || client.closed.aborted) return refuse('coordinatorNotAvailable');
    if (groupId === '') return refuse('invalidGroupId');
    if (sessionTimeoutMs < minGroupSessionTimeoutMs || sessionTimeoutMs > maxGroupSessionTimeoutMs) {
      return refuse('invalidSessionTimeout');
    }
    const isNew = memberId === '';
    const group = isNew ? this.#table.getOrAdd(groupId) : this.#table.get(groupId);
    if (group === undefined) return refuse(isNew ? 'groupMaxSizeReached' : 'unknownMemberId');
    return new Promise((resolve) => this.#joins.join(group, request, client, resolve));
  }

  /** Answered when the leader has brought the assignment. */
  sync(request: SyncRequest, client: GroupClient): Promise<SyncResult> {
    const found = this.#member(request);
    if (typeof found === 'string') return Promise.resolve(refusedSync(found));
    const { group, member } = found;
    const error = problemOfSync(group, request);
    if (error !== undefined) return Promise.resolve(refusedSync(error));
    this.#joins.heard(group, member, client);
    group.awaitedSyncs.delete(member.id);
    if (group.awaitedSyncs.size === 0) group.syncDeadline.clear();
    if (group.state === 'Stable') return Promise.resolve(group.synced(member));
    if (client.closed.aborted) return Promise.resolve(refusedSync('coordinatorNotAvailable'));
    return new Promise((resolve) => {
      answerSync(member, refusedSync('rebalanceInProgress'));
      member.awaitingSync = resolve;
      if (group.isLeader(member)) this.#assign(group, request.assignments);
    });
  }

  heartbeat(request: HeartbeatRequest, client: GroupClient): GroupOutcome {
    const found = this.#member(request);
    if (typeof found === 'string') return found;
    const { group, member } = found;
    if (request.generationId !== group.generationId) return 'illegalGeneration';
    this.#joins.heard(group, member, client);
    return group.state === 'PreparingRebalance' ? 'rebalanceInProgress' : 'none';
  }

  /**
   * Takes members out; one outcome for each of them, or what is wrong with all. Answered when the store knows, so that
   * nobody who left is back after a restart.
   */
  async leave(
    groupId: string,
    leaving: readonly LeavingMember[],
  ): Promise<readonly GroupOutcome[] | GroupError> {
    if (this.#isClosed) return 'coordinatorNotAvailable';
    if (groupId === '') return 'invalidGroupId';
    const group = this.#table.get(groupId);
    if (group === undefined) return leaving.map(() => 'unknownMemberId');
    const outcomes = leaving.map((one) => this.#leaveOne(group, one));
    if (outcomes.includes('none')) {
      this.#rebalance.afterLeave(group, 'members left');
      await this.#kept.settled(groupId);
    }
    return outcomes;
  }

  /** Undefined where there is no such group. */
  describe(groupId: string): GroupDescription | undefined {
    return this.#table.get(groupId)?.describe();
  }

  list(): ListedGroup[] {
    return Array.from(this.#table.values(), ({ id, protocolType, state }) => ({
      groupId: id,
      protocolType: protocolType ?? '',
      state,
    }));
  }

  /** Deletes a group that is empty, with its offsets. */
  delete(groupId: string): Promise<GroupOutcome> {
    return this.#offsets.deleteGroup(groupId);
  }

  /** Resolves after the store keeps them; one outcome for each offset. */
  async commit(request: CommitRequest, client: GroupClient): Promise<readonly GroupOutcome[]> {
    if (this.#isClosed) return request.offsets.map(() => 'coordinatorNotAvailable');
    return this.#offsets.commit(request, client);
  }

  /**
   * The commits of a group; none if there is no such group.
   *
   * @param isStable whether what is on its way to the store has to be waited for.
   */
  async offsets(groupId: string, isStable: boolean): Promise<OffsetsByTopic> {
    if (isStable) await this.#committed.settled(groupId);
    return this.#committed.of(groupId);
  }

  /** Deletes committed offsets; one outcome for each partition, or what is wrong with all. */
  deleteOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
  ): Promise<readonly GroupOutcome[] | GroupError> {
    return this.#offsets.delete(groupId, partitions);
  }

  /** How far a group has read; undefined where there is no such group. */
  lagOf(groupId: string): GroupLag | undefined {
    return this.#progress.lagOf(groupId);
  }

  /** Sets what a group has committed, or forgets it: all of it or nothing, and only while it has no members. */
  async resetOffsets(groupId: string, reset: OffsetReset): Promise<readonly ResetOffset[] | GroupError> {
    if (this.#isClosed) return 'coordinatorNotAvailable';
    return this.#progress.reset(groupId, reset);
  }

  /** A topic was deleted, and with it what the store kept for it. */
  forgetTopic(topic: string): void {
    this.#committed.forgetTopic(topic);
  }

  /**
   * Deletes offsets that are too old, and groups that nothing is left of.
   *
   * @param nowMs milliseconds since 1970.
   */
  async sweep(nowMs: number): Promise<void> {
    try {
      await this.#offsets.sweep(nowMs);
    } catch (error) {
      this.#log.warn({ error: (error as Error).message }, 'old offsets of groups could not be deleted');
    }
  }

  #member(request: HeartbeatRequest): { group: Group; member: Member } | GroupError {
    if (this.#isClosed) return 'coordinatorNotAvailable';
    if (request.groupId === '') return 'invalidGroupId';
    const group = this.#table.get(request.groupId);
    if (group === undefined) return 'unknownMemberId';
    const member = group.identify(request);
    return typeof member === 'string' ? member : { group, member };
  }

  #assign(group: Group, list: SyncRequest['assignments']): void {
    const assignments = new Map<string, Uint8Array>();
    let bytes = 0;
    for (const { memberId, assignment } of list) {
      if (!group.members.has(memberId)) continue;
      assignments.set(memberId, assignment);
      bytes += assignment.length;
    }
    if (this.#memory.bytes + bytes > maxGroupsBytes) {
      this.#rebalance.dropAssignments(group, 'unknownServerError');
      this.#rebalance.begin(group, 'the assignment is too large');
    } else {
      this.#rebalance.assign(group, assignments);
    }
  }

  #leaveOne(group: Group, leaving: LeavingMember): GroupOutcome {
    const { memberId, groupInstanceId } = leaving;
    if (memberId === '') {
      const member = groupInstanceId === null ? undefined : group.staticMember(groupInstanceId);
      if (member === undefined) return 'unknownMemberId';
      this.#rebalance.leave(group, member);
      return 'none';
    }
    if (group.pending.has(memberId)) {
      this.#rebalance.removePending(group, memberId);
      return 'none';
    }
    const member = group.identify(leaving);
    if (typeof member === 'string') return member;
    this.#rebalance.leave(group, member);
    return 'none';
  }

  /** Puts a group where it was when the broker stopped. */
  #restore(groupId: string, bytes: Uint8Array): void {
    try {
      const record = readGroup(bytes);
      this.#joins.restore(this.#table.add(groupId), record);
    } catch (error) {
      this.#log.warn(
        { group: groupId, error: (error as Error).message },
        'the members of a group cannot be read; they join again',
      );
    }
  }

  /** Groups that the store knows: it does not say until when they had members, so that may have been just now. */
  #addStoredGroups(): void {
    for (const groupId of this.#committed.groupIds()) {
      if (this.#table.get(groupId) === undefined) this.#table.add(groupId).emptySinceMs = this.#clock.now();
    }
  }
}

function problemOfSync(group: Group, request: SyncRequest): GroupError | undefined {
  if (request.generationId !== group.generationId) return 'illegalGeneration';
  const { protocolType, protocolName } = request;
  if (protocolType !== null && protocolType !== group.protocolType) return 'inconsistentGroupProtocol';
  if (protocolName !== null && protocolName !== group.protocolName) return 'inconsistentGroupProtocol';
  return group.state === 'PreparingRebalance' ? 'rebalanceInProgress' : undefined;
}
