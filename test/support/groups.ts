import { setImmediate as turn } from 'node:timers/promises';
import type { OffsetsByTopic } from '../../internal/groups/committed-offsets.ts';
import type { JoinRequest, JoinResult, SyncResult } from '../../internal/groups/group-types.ts';
import { Groups } from '../../internal/groups/groups.ts';
import type { GroupClient } from '../../internal/groups/presence.ts';
import type { PartitionEnds, ReadPartitions } from '../../internal/groups/progress.ts';
import type { GroupOffset, TopicPartition } from '../../internal/store/log-store.ts';
import { StoreUnavailableError } from '../../internal/store/store-error.ts';
import { KeptLog } from './logs.ts';
import { TryingStore } from './trying-store.ts';

/** A store whose changes of groups can be held back, or fail. */
export class GroupStore extends TryingStore {
  /** How often members were to be kept. */
  memberSaves = 0;
  #gate: PromiseWithResolvers<void> | undefined;
  #memberGate: PromiseWithResolvers<void> | undefined;

  holdGroups(): void {
    this.#gate ??= Promise.withResolvers();
  }

  releaseGroups(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  holdMembers(): void {
    this.#memberGate ??= Promise.withResolvers();
  }

  releaseMembers(): void {
    this.#memberGate?.resolve();
    this.#memberGate = undefined;
  }

  override async saveGroupOffsets(group: string, offsets: GroupOffset[]): Promise<void> {
    await this.#pass();
    return super.saveGroupOffsets(group, offsets);
  }

  override async deleteGroupOffsets(...args: Parameters<TryingStore['deleteGroupOffsets']>): Promise<void> {
    await this.#pass();
    return super.deleteGroupOffsets(...args);
  }

  override async saveGroupMembers(group: string, members: Uint8Array | undefined): Promise<void> {
    this.memberSaves++;
    await this.#memberGate?.promise;
    if (this.isFailing) throw new StoreUnavailableError('failed', 'the disk is on fire');
    return super.saveGroupMembers(group, members);
  }

  override async deleteGroup(group: string): Promise<void> {
    await this.#pass();
    return super.deleteGroup(group);
  }

  async #pass(): Promise<void> {
    await this.#gate?.promise;
    if (this.isFailing) throw new Error('the disk is on fire');
  }
}

/** What a broker finds that is started after one was killed: the store as it was, without what was on its way there. */
export async function afterKill(store: GroupStore): Promise<GroupStore> {
  const { groups, groupMembers } = await store.open();
  const next = new GroupStore();
  await next.open();
  for (const [group, offsets] of groups) await next.saveGroupOffsets(group, offsets);
  for (const [group, members] of groupMembers) await next.saveGroupMembers(group, members);
  return next;
}

/** Partitions with the ends that a test says; a record has the time of its offset. */
export class TestPartitions implements ReadPartitions {
  readonly ends = new Map<string, PartitionEnds[]>();

  countOf(topic: string): number {
    return this.ends.get(topic)?.length ?? 0;
  }

  endsOf({ topic, partition }: TopicPartition): PartitionEnds | undefined {
    return this.ends.get(topic)?.[partition];
  }

  async offsetForTime(place: TopicPartition, timeMs: number): Promise<number> {
    const { first, end } = this.endsOf(place)!;
    return Math.min(Math.max(first, timeMs), end);
  }
}

/**
 * Groups on a store in memory. A consumer's metadata is the names of its topics, with commas between; its assignment the
 * numbers of partitions of the topic `t`.
 */
export async function openGroups(store = new GroupStore(), partitions = new TestPartitions()) {
  const stored = await store.open();
  const log = new KeptLog();
  const groups = new Groups({
    store,
    stored,
    log,
    partitions,
    assignedPartitions: (assignment) =>
      JSON.parse(Buffer.from(assignment).toString()).map((partition: number) => ({ topic: 't', partition })),
    subscribedTopics: (metadata) => {
      const text = Buffer.from(metadata).toString();
      if (text === 'unreadable') throw new RangeError(text);
      return text.split(',');
    },
  });
  return { groups, store, log };
}

/** A connection that a test closes. */
export class TestClient implements GroupClient {
  readonly host: string;
  readonly #controller = new AbortController();
  readonly closed = this.#controller.signal;

  constructor(host = '127.0.0.1') {
    this.host = host;
  }

  close(): void {
    this.#controller.abort();
  }
}

/** What a consumer of topic `t` sends first. */
export function joining(request: Partial<JoinRequest> = {}): JoinRequest {
  return {
    groupId: 'g',
    memberId: '',
    groupInstanceId: null,
    clientId: 'client',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 20_000,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('t') }],
    needsKnownMemberId: false,
    canSkipAssignment: true,
    ...request,
  };
}

/** A member of a group as a client sees itself. */
export class TestMember {
  groups: Groups;
  client: TestClient;
  request: JoinRequest;
  memberId = '';
  generationId = -1;
  joined: JoinResult | undefined;

  constructor(groups: Groups, request: Partial<JoinRequest> = {}, client = new TestClient()) {
    this.groups = groups;
    this.client = client;
    this.request = joining(request);
  }

  async join(): Promise<JoinResult> {
    const joined = await this.groups.join({ ...this.request, memberId: this.memberId }, this.client);
    if (joined.error === 'none' || joined.error === 'memberIdRequired') this.memberId = joined.memberId;
    if (joined.error === 'none') this.generationId = joined.generationId;
    this.joined = joined;
    return joined;
  }

  /** Asks for the assignment; the leader gives every member the bytes of its own id. */
  sync(): Promise<SyncResult> {
    const assignments = (this.joined?.members ?? []).map(({ memberId }) => ({
      memberId,
      assignment: Buffer.from(memberId),
    }));
    const { groupId, groupInstanceId } = this.request;
    const { memberId, generationId } = this;
    return this.groups.sync(
      {
        groupId,
        memberId,
        groupInstanceId,
        generationId,
        protocolType: null,
        protocolName: null,
        assignments,
      },
      this.client,
    );
  }

  heartbeat() {
    const { groupId, groupInstanceId } = this.request;
    const { memberId, generationId } = this;
    return this.groups.heartbeat({ groupId, memberId, groupInstanceId, generationId }, this.client);
  }

  leave() {
    const { groupId, groupInstanceId } = this.request;
    return this.groups.leave(groupId, [{ memberId: this.memberId, groupInstanceId }]);
  }

  commit(offset: number, partition = 0, { topic = 't', metadata = '' } = {}) {
    const { groupId, groupInstanceId } = this.request;
    return this.groups.commit(
      {
        groupId,
        memberId: this.memberId,
        groupInstanceId,
        generationId: this.generationId,
        knowsGroupIdNotFound: true,
        offsets: [{ topic, partition, offset, leaderEpoch: -1, metadata }],
      },
      this.client,
    );
  }
}

/** What a group has committed, on the node that coordinates it. */
export async function offsetsOf(groups: Groups, groupId: string, isStable = false): Promise<OffsetsByTopic> {
  const offsets = await groups.offsets(groupId, isStable);
  if (typeof offsets === 'string') throw new Error(offsets);
  return offsets;
}

/** Commits for a reader that is no member. */
export function commitAlone(groups: Groups, groupId: string, offset: number, { topic = 't' } = {}) {
  return groups.commit(
    {
      groupId,
      memberId: '',
      groupInstanceId: null,
      generationId: -1,
      knowsGroupIdNotFound: true,
      offsets: [{ topic, partition: 0, offset, leaderEpoch: -1, metadata: '' }],
    },
    new TestClient(),
  );
}

/** Members that joined and synced together: the first one leads. */
export async function stableGroup(groups: Groups, count: number, request: Partial<JoinRequest> = {}) {
  const members = Array.from({ length: count }, () => new TestMember(groups, request));
  await Promise.all(members.map((member) => member.join()));
  await Promise.all(members.map((member) => member.sync()));
  return members;
}

/** Whether a promise is settled after all that is under way. */
export async function isWaiting(promise: Promise<unknown>): Promise<boolean> {
  let isSettled = false;
  promise.then(
    () => (isSettled = true),
    () => (isSettled = true),
  );
  await turn();
  await turn();
  return !isSettled;
}
