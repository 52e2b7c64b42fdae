import {
  groupSweepEveryMs,
  idleGroupsDropEveryMs,
  maxGroupSessionTimeoutMs,
  maxGroups,
  maxGroupsBytes,
  maxOffsetMetadataCharacters,
  minGroupSessionTimeoutMs,
} from '../../limits.ts';
import type { GroupOffset, TopicPartition } from '../../store/log-store.ts';
import { CommittedOffsets, type OffsetStore, type OffsetsByTopic } from './committed-offsets.ts';
import { Deadlines } from './deadlines.ts';
import { expiredOffsets } from './expiry.ts';
import { Group, groupBytes, refusedJoin } from './group.ts';
import type {
  CommitRequest,
  GroupDescription,
  GroupError,
  GroupOutcome,
  HeartbeatRequest,
  JoinRequest,
  JoinResult,
  LeavingMember,
  ListedGroup,
  SyncRequest,
  SyncResult,
} from './group-types.ts';
import { Joins } from './join.ts';
import type { Member } from './member.ts';
import { type GroupClient, Presence } from './presence.ts';
import { answerSync, type GroupLog, Rebalance, refusedSync } from './rebalance.ts';

export interface GroupsOptions {
  readonly store: OffsetStore;
  /** What the store keeps of groups now. */
  readonly offsets: ReadonlyMap<string, readonly GroupOffset[]>;
  /**
   * The topics that a consumer wants, from what it said when it joined. May throw where that cannot be read: its group
   * then counts as reading every topic.
   */
  readonly subscribedTopics: (metadata: Uint8Array) => readonly string[];
  readonly log: GroupLog;
}

/**
 * Consumer groups: who is a member, who leads, and how far each group has read. This is Kafka's classic group protocol
 * without its wire format. What lasts are the committed offsets; members join again after a restart.
 */
export class Groups {
  readonly #options: GroupsOptions;
  readonly #groups = new Map<string, Group>();
  readonly #offsets: CommittedOffsets;
  readonly #deadlines = new Deadlines();
  readonly #presence = new Presence();
  readonly #memory = { bytes: 0 };
  readonly #rebalance: Rebalance;
  readonly #joins: Joins;
  readonly #sweep: NodeJS.Timeout;
  readonly #endEvents: () => void;
  /** Set while it is too early to look for groups to drop again. */
  readonly #idleDropped = this.#deadlines.add(() => {});
  #isClosed = false;

  constructor(options: GroupsOptions) {
    this.#options = options;
    this.#rebalance = new Rebalance(this.#presence, options.log);
    this.#joins = new Joins({
      deadlines: this.#deadlines,
      presence: this.#presence,
      rebalance: this.#rebalance,
      memory: this.#memory,
    });
    this.#offsets = new CommittedOffsets(options.store, options.offsets);
    this.#addStoredGroups();
    this.#endEvents = options.store.onEvent((event) => {
      if (event.kind !== 'recovered') return;
      this.#offsets.replaceAll(event.state.groups);
      this.#addStoredGroups();
    });
    this.#sweep = setInterval(() => void this.sweep(Date.now()), groupSweepEveryMs).unref();
  }

  /** Refuses who waits, and whoever comes. */
  close(): void {
    this.#isClosed = true;
    this.#endEvents();
    clearInterval(this.#sweep);
    for (const group of this.#groups.values()) this.#rebalance.abandon(group);
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
    const group = memberId === '' ? this.#groupOrNew(groupId) : this.#groups.get(groupId);
    if (group === undefined) return refuse(memberId === '' ? 'groupMaxSizeReached' : 'unknownMemberId');
    return new Promise((resolve) => this.#joins.join(group, request, client, resolve));
  }

  /** Answered when the leader has brought the assignment. */
  sync(request: SyncRequest, client: GroupClient): Promise<SyncResult> {
    const found = this.#member(request);
    if (typeof found === 'string') return Promise.resolve(refusedSync(found));
    const { group, member } = found;
    const error = problemOfSync(group, request);
    if (error !== undefined) return Promise.resolve(refusedSync(error));
    this.#joins.heard(member, client);
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
    this.#joins.heard(member, client);
    return group.state === 'PreparingRebalance' ? 'rebalanceInProgress' : 'none';
  }

  /** Takes members out; one outcome for each of them, or what is wrong with all. */
  leave(groupId: string, leaving: readonly LeavingMember[]): readonly GroupOutcome[] | GroupError {
    if (this.#isClosed) return 'coordinatorNotAvailable';
    if (groupId === '') return 'invalidGroupId';
    const group = this.#groups.get(groupId);
    if (group === undefined) return leaving.map(() => 'unknownMemberId');
    const outcomes = leaving.map((one) => this.#leaveOne(group, one));
    if (outcomes.includes('none')) this.#rebalance.afterLeave(group, 'members left');
    return outcomes;
  }

  /** Undefined where there is no such group. */
  describe(groupId: string): GroupDescription | undefined {
    return this.#groups.get(groupId)?.describe();
  }

  list(): ListedGroup[] {
    return Array.from(this.#groups.values(), ({ id, protocolType, state }) => ({
      groupId: id,
      protocolType: protocolType ?? '',
      state,
    }));
  }

  /** Deletes a group that is empty, with its offsets. */
  async delete(groupId: string): Promise<GroupOutcome> {
    const group = this.#groups.get(groupId);
    if (group === undefined) return 'groupIdNotFound';
    if (group.state !== 'Empty') return 'nonEmptyGroup';
    try {
      await this.#offsets.deleteGroup(groupId);
    } catch {
      return 'coordinatorNotAvailable';
    }
    if (group.state === 'Empty' && !this.#offsets.has(groupId)) this.#drop(group);
    return 'none';
  }

  /** Answered after the store keeps them; one outcome for each offset. */
  async commit(request: CommitRequest, client: GroupClient): Promise<readonly GroupOutcome[]> {
    const { offsets, groupId } = request;
    const error = this.#checkCommit(request, client);
    if (error !== 'none') return offsets.map(() => error);
    const outcomes = offsets.map(problemOfOffset);
    const good = offsets.filter((_, index) => outcomes[index] === 'none');
    if (good.length === 0) return outcomes;
    const saved = await this.#offsets
      .commit(groupId, good, Date.now())
      .catch((): GroupOutcome => 'coordinatorNotAvailable');
    // The group may have been found idle and dropped when it had nothing yet.
    if (saved === 'none' && !this.#groups.has(groupId)) this.#addGroup(groupId);
    return outcomes.map((outcome) => (outcome === 'none' ? saved : outcome));
  }

  /**
   * What a group committed; nothing where there is no such group.
   *
   * @param isStable whether what is on its way to the store has to be waited for.
   */
  async offsets(groupId: string, isStable: boolean): Promise<OffsetsByTopic> {
    if (isStable) await this.#offsets.settled(groupId);
    return this.#offsets.of(groupId);
  }

  /** Deletes committed offsets; one outcome for each partition, or what is wrong with all. */
  async deleteOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
  ): Promise<readonly GroupOutcome[] | GroupError> {
    if (groupId === '') return 'invalidGroupId';
    const group = this.#groups.get(groupId);
    if (group === undefined) return 'groupIdNotFound';
    if (group.state !== 'Empty' && group.protocolType !== 'consumer') return 'nonEmptyGroup';
    const isSubscribed = this.#subscriptions(group);
    const outcomes = partitions.map(({ topic }) => (isSubscribed(topic) ? 'groupSubscribedToTopic' : 'none'));
    try {
      await this.#offsets.delete(
        groupId,
        partitions.filter((_, index) => outcomes[index] === 'none'),
      );
    } catch {
      return 'coordinatorNotAvailable';
    }
    return outcomes;
  }

  /** A topic was deleted, and with it what the store kept for it. */
  forgetTopic(topic: string): void {
    this.#offsets.forgetTopic(topic);
  }

  /** Deletes offsets that are too old, and groups that nothing is left of. */
  async sweep(nowMs: number): Promise<void> {
    for (const group of [...this.#groups.values()]) {
      const committed = this.#offsets.of(group.id);
      const expired = expiredOffsets(group, committed, this.#subscriptions(group), nowMs);
      try {
        await this.#offsets.delete(group.id, expired);
      } catch (error) {
        const fields = { group: group.id, error: (error as Error).message };
        this.#options.log.warn(fields, 'old offsets could not be deleted');
        return;
      }
      this.#dropIfIdle(group);
    }
  }

  #member(request: HeartbeatRequest): { group: Group; member: Member } | GroupError {
    if (this.#isClosed) return 'coordinatorNotAvailable';
    if (request.groupId === '') return 'invalidGroupId';
    const group = this.#groups.get(request.groupId);
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

  #checkCommit(request: CommitRequest, client: GroupClient): GroupOutcome {
    const { groupId, memberId, groupInstanceId, generationId } = request;
    if (this.#isClosed) return 'coordinatorNotAvailable';
    const group = this.#groups.get(groupId);
    if (group === undefined) {
      if (generationId >= 0) return request.knowsGroupIdNotFound ? 'groupIdNotFound' : 'illegalGeneration';
      return this.#groupOrNew(groupId) === undefined ? 'groupMaxSizeReached' : 'none';
    }
    if (generationId < 0 && group.state === 'Empty') return 'none';
    if (generationId < 0 && memberId === '' && groupInstanceId === null) return 'unknownMemberId';
    const member = group.identify(request);
    if (typeof member === 'string') return member;
    if (generationId !== group.generationId) return 'illegalGeneration';
    if (group.state === 'CompletingRebalance') return 'rebalanceInProgress';
    this.#joins.heard(member, client);
    return 'none';
  }

  /** Whether a member of the group reads a topic. */
  #subscriptions(group: Group): (topic: string) => boolean {
    if (group.protocolType !== 'consumer' || group.state === 'Empty') return () => false;
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
        for (const topic of this.#options.subscribedTopics(metadata)) topics.add(topic);
      }
    } catch {
      return 'all';
    }
    return topics;
  }

  #groupOrNew(groupId: string): Group | undefined {
    const known = this.#groups.get(groupId);
    if (known !== undefined) return known;
    if (!this.#hasRoom(groupId)) this.#dropIdle();
    return this.#hasRoom(groupId) ? this.#addGroup(groupId) : undefined;
  }

  #hasRoom(groupId: string): boolean {
    return this.#groups.size < maxGroups && this.#memory.bytes + groupBytes(groupId) <= maxGroupsBytes;
  }

  /** Makes room, but looks through all groups only now and then, however many ask for more. */
  #dropIdle(): void {
    if (this.#idleDropped.isSet) return;
    this.#idleDropped.set(idleGroupsDropEveryMs);
    for (const group of this.#groups.values()) this.#dropIfIdle(group);
  }

  #addGroup(groupId: string): Group {
    const group = new Group(groupId, this.#memory, (one) => ({
      joinDeadline: this.#deadlines.add(() => this.#rebalance.completeJoin(one)),
      syncDeadline: this.#deadlines.add(() => this.#rebalance.expireSyncs(one)),
    }));
    this.#groups.set(groupId, group);
    return group;
  }

  /** Groups that the store knows: it does not say until when they had members, so that may have been just now. */
  #addStoredGroups(): void {
    for (const groupId of this.#offsets.groupIds()) {
      if (!this.#groups.has(groupId)) this.#addGroup(groupId).emptySinceMs = Date.now();
    }
  }

  #dropIfIdle(group: Group): void {
    if (group.state === 'Empty' && group.pending.size === 0 && !this.#offsets.has(group.id))
      this.#drop(group);
  }

  #drop(group: Group): void {
    if (this.#groups.get(group.id) !== group) return;
    this.#rebalance.abandon(group);
    this.#groups.delete(group.id);
    group.drop();
  }
}

function problemOfSync(group: Group, request: SyncRequest): GroupError | undefined {
  if (request.generationId !== group.generationId) return 'illegalGeneration';
  const { protocolType, protocolName } = request;
  if (protocolType !== null && protocolType !== group.protocolType) return 'inconsistentGroupProtocol';
  if (protocolName !== null && protocolName !== group.protocolName) return 'inconsistentGroupProtocol';
  return group.state === 'PreparingRebalance' ? 'rebalanceInProgress' : undefined;
}

function problemOfOffset({ offset, metadata }: { offset: number; metadata: string }): GroupOutcome {
  if (metadata.length > maxOffsetMetadataCharacters) return 'offsetMetadataTooLarge';
  // Such an offset is none that a log ever gives out, and it could not be kept exactly.
  return Number.isSafeInteger(offset) ? 'none' : 'offsetOutOfRange';
}
