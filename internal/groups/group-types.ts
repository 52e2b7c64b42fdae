/** The requests to groups and their answers, in the words of Kafka's group protocol. */

import type { TopicPartition } from '../store/log-store.ts';

/** Why something is refused; Kafka's names. */
export type GroupError =
  | 'unknownServerError'
  | 'offsetOutOfRange'
  | 'offsetMetadataTooLarge'
  | 'coordinatorNotAvailable'
  | 'coordinatorLoadInProgress'
  | 'notCoordinator'
  | 'illegalGeneration'
  | 'inconsistentGroupProtocol'
  | 'invalidGroupId'
  | 'unknownMemberId'
  | 'invalidSessionTimeout'
  | 'rebalanceInProgress'
  | 'invalidCommitOffsetSize'
  | 'nonEmptyGroup'
  | 'groupIdNotFound'
  | 'memberIdRequired'
  | 'groupMaxSizeReached'
  | 'fencedInstanceId'
  | 'groupSubscribedToTopic'
  | 'unknownTopicOrPartition';
/** The outcome of a request. */
export type GroupOutcome = GroupError | 'none';

/** As Kafka's tools print them; a group that is not there counts as dead. */
export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead';

/** One way to share the work that a member knows, and what it wants to say to the leader in it. */
export interface GroupProtocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

/** Becomes a member, or joins the next generation as one. */
export interface JoinRequest {
  readonly groupId: string;
  /** Empty for a member that has none yet. */
  readonly memberId: string;
  /** The name by which a static member is known over its restarts; null for a dynamic one. */
  readonly groupInstanceId: string | null;
  /** The beginning of the member's id. */
  readonly clientId: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  /** The most wanted one first. */
  readonly protocols: readonly GroupProtocol[];
  /** Whether a new member is only told its id and has to ask again with it, so that a lost answer leaves no member behind. */
  readonly needsKnownMemberId: boolean;
  /** Whether the client knows that a leader may have nothing to assign. */
  readonly canSkipAssignment: boolean;
}

/** A member as its leader is told of it. */
export interface JoinedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Uint8Array;
}

/** The generation that a member is part of, or why it is not. */
export interface JoinResult {
  readonly error: GroupOutcome;
  /** -1 for none. */
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  /** The id of the leader, empty for none. */
  readonly leader: string;
  readonly skipAssignment: boolean;
  readonly memberId: string;
  /** Everybody for the leader, nobody for the others. */
  readonly members: readonly JoinedMember[];
}

/** The fields by which a member names itself in all requests after it joined. */
export interface MemberIdentity {
  readonly groupId: string;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

/** Asks for the member's assignment; the leader's brings all of them. */
export interface SyncRequest extends MemberIdentity {
  readonly generationId: number;
  /** Null where the client does not say. */
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  /** Empty unless it is the leader. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[];
}

/** The assignment of a member, or the reason why it is not known. */
export interface SyncResult {
  readonly error: GroupOutcome;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Uint8Array;
}

/** Says that a member is still there. */
export interface HeartbeatRequest extends MemberIdentity {
  readonly generationId: number;
}

/** A member that leaves: by its id, or a static one by its instance id alone. */
export interface LeavingMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

/** A group, for whoever looks at it from outside. */
export interface GroupDescription {
  readonly state: GroupState;
  /** Empty for a group that only commits offsets. */
  readonly protocolType: string;
  /** Empty unless the group is stable. */
  readonly protocolName: string;
  readonly members: readonly MemberDescription[];
}

/** One of its members. */
export interface MemberDescription {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** No bytes unless the group is stable. */
  readonly metadata: Uint8Array;
  readonly assignment: Uint8Array;
}

/** A group in a list of all. */
export interface ListedGroup {
  readonly groupId: string;
  readonly protocolType: string;
  readonly state: GroupState;
}

/** How far a group has read, and what lies behind that. */
export interface GroupLag {
  readonly groupId: string;
  readonly state: GroupState;
  /** Empty for a group that only commits offsets. */
  readonly protocolType: string;
  /** Empty unless the group is stable. */
  readonly protocolName: string;
  readonly members: readonly MemberProgress[];
  /** What was committed and what is assigned, by topics and numbers. */
  readonly partitions: readonly PartitionLag[];
  /** The records that were not read, of all partitions of which that is known. */
  readonly lag: number;
}

/** A member, with the partitions that it reads: none unless the group is stable. */
export interface MemberProgress
  extends Pick<MemberDescription, 'memberId' | 'groupInstanceId' | 'clientId' | 'clientHost'> {
  readonly assigned: readonly TopicPartition[];
}

/** One partition that a group reads. */
export interface PartitionLag extends TopicPartition {
  /** Undefined where nothing was committed. */
  readonly committed: number | undefined;
  readonly committedAtMs: number | undefined;
  /** The ends of its log; undefined where there is none any more. */
  readonly first: number | undefined;
  readonly end: number | undefined;
  /** The offsets between what was committed and the end; undefined where one of them is not known. */
  readonly lag: number | undefined;
  /** The member that it is assigned to. */
  readonly memberId: string | undefined;
}

/** Sets the offsets of a group that has no members. */
export interface OffsetReset {
  /** All partitions of a topic where no number is said. Default: all that the group has committed. */
  readonly places?: readonly { readonly topic: string; readonly partition?: number }[];
  readonly to: ResetTarget;
}

export type ResetTarget =
  | { readonly kind: 'earliest' | 'latest' }
  | { readonly kind: 'offset'; readonly offset: number }
  /** In milliseconds since 1970. */
  | { readonly kind: 'time'; readonly timeMs: number }
  /** What was committed is forgotten. */
  | { readonly kind: 'none' };

/** The offset that a group has now; undefined where there is none. */
export interface ResetOffset extends TopicPartition {
  readonly offset: number | undefined;
}

/** Keeps how far a member, or a reader that is none, has come. */
export interface CommitRequest extends MemberIdentity {
  /** -1 for a reader that is no member. */
  readonly generationId: number;
  /** Whether a member of a group that is not there is told so, rather than that its generation is wrong. */
  readonly knowsGroupIdNotFound: boolean;
  readonly offsets: readonly NewOffset[];
}

/** An offset to commit, for a partition that exists. */
export interface NewOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** -1 for none. */
  readonly leaderEpoch: number;
  readonly metadata: string;
}

/** The protocol type of groups whose members read topics. */
export const CONSUMER = 'consumer';

/** Metadata or an assignment that says nothing. */
export const NO_BYTES = new Uint8Array(0);
