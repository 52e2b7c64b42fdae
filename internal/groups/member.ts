import type { Deadline } from '../lib/deadline-timer.ts';
import type { MemberRecord } from './group-record.ts';
import {
  type GroupProtocol,
  type JoinRequest,
  type JoinResult,
  type MemberDescription,
  NO_BYTES,
  type SyncResult,
} from './group-types.ts';
import type { GroupClient, Present } from './presence.ts';

/** A request of a member that waits for its answer. */
export type Answer<Result> = (result: Result) => void;

/** The facts that a member names when it joins, with its address. */
export type MemberProfile = Omit<MemberRecord, 'id' | 'assignment'>;

/** A member of a group. What counts it among the others (protocols, who waits) only {@link Group} changes. */
export class Member implements Present {
  readonly id: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly protocolType: string;
  readonly clients = new Set<GroupClient>();
  /** Until when it has to be heard. */
  readonly session: Deadline;
  readonly gone: () => void;

  protocols: ReadonlyMap<string, Uint8Array>;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  assignment: Uint8Array = NO_BYTES;
  /** Set while a JoinGroup waits for the others. */
  awaitingJoin: Answer<JoinResult> | undefined;
  /** Set while a SyncGroup waits for the leader. */
  awaitingSync: Answer<SyncResult> | undefined;
  /** Until it was told the first generation that it is part of. */
  isNew = true;
  /** Whether its client knows its id, and can come back with it. */
  isIdTold = false;
  /** Whether the last of its connections was closed while this broker ran, and it was not heard since. */
  isCutOff = false;

  constructor(
    id: string,
    profile: MemberProfile,
    watch: (member: Member) => { session: Deadline; gone: () => void },
  ) {
    this.id = id;
    this.instanceId = profile.instanceId;
    this.clientId = profile.clientId;
    this.clientHost = profile.clientHost;
    this.protocolType = profile.protocolType;
    this.protocols = profile.protocols;
    this.sessionTimeoutMs = profile.sessionTimeoutMs;
    this.rebalanceTimeoutMs = profile.rebalanceTimeoutMs;
    const { session, gone } = watch(this);
    this.session = session;
    this.gone = gone;
  }

  get isStatic(): boolean {
    return this.instanceId !== null;
  }

  /** Whether it keeps its place without being heard: who waits for an answer cannot send. */
  get isExcused(): boolean {
    return !this.isNew && (this.awaitingJoin !== undefined || this.awaitingSync !== undefined);
  }

  /** Its metadata in this protocol; no bytes if it does not know the protocol. */
  metadata(protocolName: string | null): Uint8Array {
    return (protocolName === null ? undefined : this.protocols.get(protocolName)) ?? NO_BYTES;
  }

  /** Whether these are the same protocols, in the same order and with the same metadata. */
  matches(protocols: ReadonlyMap<string, Uint8Array>): boolean {
    if (protocols.size !== this.protocols.size) return false;
    const own = this.protocols.entries();
    for (const [name, metadata] of protocols) {
      const [ownName, ownMetadata] = own.next().value!;
      if (name !== ownName || Buffer.compare(metadata, ownMetadata) !== 0) return false;
    }
    return true;
  }

  describe(protocolName: string | null): MemberDescription {
    return {
      memberId: this.id,
      groupInstanceId: this.instanceId,
      clientId: this.clientId,
      clientHost: this.clientHost,
      metadata: this.metadata(protocolName),
      assignment: this.assignment,
    };
  }

  /** About what is kept for it, in bytes. */
  get sizeBytes(): number {
    return memberBytes(this.id, this.protocols) + this.assignment.length;
  }
}

/** The part of a JoinGroup that is about its member. */
export function profileOf(
  request: JoinRequest,
  protocols: ReadonlyMap<string, Uint8Array>,
  client: GroupClient,
): MemberProfile {
  const { groupInstanceId, clientId, protocolType, sessionTimeoutMs, rebalanceTimeoutMs } = request;
  return {
    instanceId: groupInstanceId,
    clientId,
    clientHost: client.host,
    protocolType,
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    protocols,
  };
}

/** The protocols of a JoinGroup by name; of one that stands there twice the first counts. */
export function protocolsOf(list: readonly GroupProtocol[]): ReadonlyMap<string, Uint8Array> {
  const protocols = new Map<string, Uint8Array>();
  for (const { name, metadata } of list) if (!protocols.has(name)) protocols.set(name, metadata);
  return protocols;
}

/** The memory of a member with these protocols, without its assignment. */
export function memberBytes(id: string, protocols: ReadonlyMap<string, Uint8Array>): number {
  let bytes = MEMBER_OVERHEAD_BYTES + id.length;
  for (const [name, metadata] of protocols) bytes += PROTOCOL_OVERHEAD_BYTES + name.length + metadata.length;
  return bytes;
}

/** The memory of a member's objects beside the bytes in them, roughly. */
const MEMBER_OVERHEAD_BYTES = 1_024;
const PROTOCOL_OVERHEAD_BYTES = 200;
