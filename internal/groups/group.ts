import type { Clock } from '../lib/clock.ts';
import type { Deadline } from '../lib/deadline-timer.ts';
import type { GroupRecord } from './group-record.ts';
import type {
  GroupDescription,
  GroupError,
  GroupState,
  JoinedMember,
  JoinRequest,
  JoinResult,
  MemberIdentity,
  SyncResult,
} from './group-types.ts';
import type { Answer, Member } from './member.ts';
import { Namesakes } from './namesakes.ts';
import type { Present } from './presence.ts';

/** One who was told its id and did not come back with it yet. */
export interface PendingMember extends Present {
  readonly id: string;
  readonly session: Deadline;
}

/** The memory of all groups together, roughly. */
export interface GroupMemory {
  bytes: number;
}

/**
 * The members of a group and the state they are in. Which change follows from which is told elsewhere (rebalance.ts);
 * here the numbers and names stay right.
 */
export class Group {
  readonly id: string;
  /** Until when members may join the next generation. */
  readonly joinDeadline: Deadline;
  /** Until when members have to ask for their assignment. */
  readonly syncDeadline: Deadline;
  readonly #memory: GroupMemory;

  state: Exclude<GroupState, 'Dead'> = 'Empty';
  generationId = 0;
  /** Null for a group that only ever committed offsets. */
  protocolType: string | null = null;
  protocolName: string | null = null;
  leaderId: string | null = null;
  /** Set while the assignments that the leader brought are on their way to the store. */
  assigning: object | undefined;
  /** Set from the first member's coming until those that came with it are there too. */
  gathering: NodeJS.Immediate | undefined;
  /** Since when it has no members, in milliseconds since 1970; undefined where it never had any. */
  emptySinceMs: number | undefined;

  /** In the order in which they came. */
  readonly members = new Map<string, Member>();
  /** Those who were told their id and did not come back with it yet. */
  readonly pending = new Map<string, PendingMember>();
  /** Members that have not asked for their assignment in this generation. */
  readonly awaitedSyncs = new Set<string>();
  readonly namesakes = new Namesakes();
  /** The number of members that know each protocol. */
  readonly #clock: Clock;
  readonly #supporters = new Map<string, number>();
  /** Ids of members by their instance ids. */
  readonly #staticMembers = new Map<string, string>();
  #awaitingJoin = 0;

  constructor(
    id: string,
    memory: GroupMemory,
    clock: Clock,
    watch: (group: Group) => { joinDeadline: Deadline; syncDeadline: Deadline },
  ) {
    this.id = id;
    this.#memory = memory;
    this.#clock = clock;
    memory.bytes += groupBytes(id);
    const { joinDeadline, syncDeadline } = watch(this);
    this.joinDeadline = joinDeadline;
    this.syncDeadline = syncDeadline;
  }

  add(member: Member): void {
    if (this.members.size === 0) this.protocolType = member.protocolType;
    this.leaderId ??= member.id;
    this.members.set(member.id, member);
    if (member.instanceId !== null) this.#staticMembers.set(member.instanceId, member.id);
    if (member.awaitingJoin !== undefined) this.#awaitingJoin++;
    this.namesakes.add(member);
    this.#count(member, 1);
  }

  /** Takes a member out; the oldest other one leads where it led. What it waits for has to be answered before. */
  remove(member: Member): void {
    if (!this.members.delete(member.id)) return;
    if (member.awaitingJoin !== undefined) this.#awaitingJoin--;
    if (member.instanceId !== null) this.#staticMembers.delete(member.instanceId);
    this.namesakes.remove(member);
    if (this.leaderId === member.id) this.leaderId = this.members.keys().next().value ?? null;
    this.awaitedSyncs.delete(member.id);
    this.#count(member, -1);
  }

  /** Puts a static member that came back with a new id in the place of the one it was. */
  replace(member: Member, successor: Member): void {
    const isLeader = this.leaderId === member.id;
    this.remove(member);
    this.add(successor);
    if (isLeader) this.leaderId = successor.id;
  }

  /** Takes over what a member says when it joins again. */
  update(member: Member, request: JoinRequest, protocols: ReadonlyMap<string, Uint8Array>): void {
    this.#count(member, -1);
    member.protocols = protocols;
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    this.#count(member, 1);
  }

  assign(member: Member, assignment: Uint8Array): void {
    this.#memory.bytes += assignment.length - member.assignment.length;
    member.assignment = assignment;
  }

  addPending(pending: PendingMember): void {
    this.pending.set(pending.id, pending);
    this.#memory.bytes += pendingBytes(pending);
  }

  removePending(pending: PendingMember): void {
    if (this.pending.delete(pending.id)) this.#memory.bytes -= pendingBytes(pending);
  }

  /** Has a member's JoinGroup wait; one that waited before is answered, so that nobody hangs. */
  awaitJoin(member: Member, answer: Answer<JoinResult>): void {
    this.answerJoin(member, refusedJoin('rebalanceInProgress', member.id));
    member.awaitingJoin = answer;
    this.#awaitingJoin++;
  }

  answerJoin(member: Member, result: JoinResult): void {
    this.takeJoin(member)?.(result);
  }

  /** The answer that a member's JoinGroup waits for, if one does; it waits no longer. */
  takeJoin(member: Member): Answer<JoinResult> | undefined {
    const answer = member.awaitingJoin;
    if (answer === undefined) return undefined;
    member.awaitingJoin = undefined;
    this.#awaitingJoin--;
    return answer;
  }

  /** Whether everybody came back who was in it or was given an id. */
  get hasAllJoined(): boolean {
    return this.#awaitingJoin === this.members.size && this.pending.size === 0;
  }

  isLeader(member: Member): boolean {
    return this.leaderId === member.id;
  }

  staticMember(instanceId: string): Member | undefined {
    const id = this.#staticMembers.get(instanceId);
    return id === undefined ? undefined : this.members.get(id);
  }

  /** The member that sends this, or why it is not taken for it. */
  identify({ memberId, groupInstanceId }: Omit<MemberIdentity, 'groupId'>): Member | GroupError {
    if (groupInstanceId !== null) {
      const known = this.#staticMembers.get(groupInstanceId);
      if (known === undefined) return 'unknownMemberId';
      if (known !== memberId) return 'fencedInstanceId';
    }
    return this.members.get(memberId) ?? 'unknownMemberId';
  }

  /** Whether a newcomer with these protocols can work with those who are there. */
  supports(protocolType: string, protocols: ReadonlyMap<string, Uint8Array>): boolean {
    if (this.members.size === 0) return protocolType !== '' && protocols.size > 0;
    if (protocolType !== this.protocolType) return false;
    return this.#firstCommon(protocols) !== undefined;
  }

  /**
   * The protocol that the next generation uses: each member votes for the one it wants most among those that all
   * know, and the most votes win. Undefined without members.
   */
  selectProtocol(): string | undefined {
    const votes = new Map<string, number>();
    for (const { protocols } of this.members.values()) {
      const vote = this.#firstCommon(protocols);
      if (vote !== undefined) votes.set(vote, (votes.get(vote) ?? 0) + 1);
    }
    let winner: string | undefined;
    for (const [name, count] of votes) if (winner === undefined || count > votes.get(winner)!) winner = name;
    return winner;
  }

  /** The longest that any member wants to be waited for. */
  get rebalanceTimeoutMs(): number {
    let longestMs = 0;
    for (const { rebalanceTimeoutMs } of this.members.values()) {
      if (rebalanceTimeoutMs > longestMs) longestMs = rebalanceTimeoutMs;
    }
    return longestMs;
  }

  /** The answer to a member that joined this generation. */
  joined(member: Member, { withMembers = this.isLeader(member) } = {}): JoinResult {
    return {
      error: 'none',
      generationId: this.generationId,
      protocolType: this.protocolType,
      protocolName: this.protocolName,
      leader: this.leaderId ?? '',
      skipAssignment: false,
      memberId: member.id,
      members: withMembers ? this.joinedMembers() : [],
    };
  }

  joinedMembers(): JoinedMember[] {
    return Array.from(this.members.values(), (member) => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      metadata: member.metadata(this.protocolName),
    }));
  }

  /** The answer to a member that asks for its assignment. */
  synced(member: Member): SyncResult {
    return {
      error: 'none',
      protocolType: this.protocolType,
      protocolName: this.protocolName,
      assignment: member.assignment,
    };
  }

  /** It is no more, and has no members. */
  drop(): void {
    this.#memory.bytes -= groupBytes(this.id);
  }

  /** The record of it in the store. A member that was told no generation yet, and may not know its id, joins anew after a restart. */
  record(): GroupRecord {
    const members = [...this.members.values()].filter(({ isNew }) => !isNew);
    return {
      state: members.length === 0 ? 'Empty' : this.assigning === undefined ? this.state : 'Stable',
      generationId: this.generationId,
      protocolType: this.protocolType,
      protocolName: this.protocolName,
      leaderId: this.leaderId,
      emptySinceMs: members.length === 0 ? (this.emptySinceMs ?? this.#clock.now()) : undefined,
      members,
    };
  }

  /** Puts everything but the members in place, as the store has it. */
  restore({ state, generationId, protocolType, protocolName, leaderId, emptySinceMs }: GroupRecord): void {
    this.state = this.members.size === 0 ? 'Empty' : state;
    this.generationId = generationId;
    this.protocolType = protocolType;
    this.protocolName = protocolName;
    if (leaderId !== null && this.members.has(leaderId)) this.leaderId = leaderId;
    this.emptySinceMs = emptySinceMs;
  }

  describe(): GroupDescription {
    const protocolName = this.state === 'Stable' ? this.protocolName : null;
    return {
      state: this.state,
      protocolType: this.protocolType ?? '',
      protocolName: protocolName ?? '',
      members: Array.from(this.members.values(), (member) => member.describe(protocolName)),
    };
  }

  /** The first of these protocols that all members know. */
  #firstCommon(protocols: ReadonlyMap<string, Uint8Array>): string | undefined {
    for (const name of protocols.keys()) if (this.#supporters.get(name) === this.members.size) return name;
    return undefined;
  }

  #count(member: Member, by: 1 | -1): void {
    this.#memory.bytes += by * member.sizeBytes;
    for (const name of member.protocols.keys()) {
      const supporters = (this.#supporters.get(name) ?? 0) + by;
      if (supporters === 0) this.#supporters.delete(name);
      else this.#supporters.set(name, supporters);
    }
  }
}

/** A JoinGroup that leads to no generation. */
export function refusedJoin(error: GroupError, memberId: string): JoinResult {
  return {
    error,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    memberId,
    members: [],
  };
}

/** The memory of a group without members. */
export function groupBytes(id: string): number {
  return GROUP_OVERHEAD_BYTES + id.length;
}

function pendingBytes({ id }: PendingMember): number {
  return PENDING_OVERHEAD_BYTES + id.length;
}

const GROUP_OVERHEAD_BYTES = 1_024;
const PENDING_OVERHEAD_BYTES = 512;
