import { groupPendingJoinWaitMs } from '../../limits.ts';
import { type Group, refusedJoin } from './group.ts';
import { type GroupError, NO_BYTES, type SyncResult } from './group-types.ts';
import type { Member } from './member.ts';
import type { Presence } from './presence.ts';

/** What is told about groups, for people. */
export interface GroupLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/**
 * How a group gets from one generation to the next:
 *
 *     Empty ──▶ PreparingRebalance ──▶ CompletingRebalance ──▶ Stable
 *       ▲           │        ▲                  │                 │
 *       └───────────┘        └──────────────────┴─────────────────┘
 *
 * While it prepares, members join and wait until all are there. Then each is told the generation and asks for its
 * assignment, which the leader brings.
 */
export class Rebalance {
  readonly #presence: Presence;
  readonly #log: GroupLog;

  constructor(presence: Presence, log: GroupLog) {
    this.#presence = presence;
    this.#log = log;
  }

  /** After the members of a group changed: begins a rebalance, or ends the one that is under way if it can. */
  beginOrComplete(group: Group, reason: string): void {
    if (group.state === 'PreparingRebalance') this.completeIfAllJoined(group);
    else this.begin(group, reason);
  }

  /** Begins a rebalance, also where one is just being completed. */
  begin(group: Group, reason: string): void {
    if (group.state === 'CompletingRebalance') this.dropAssignments(group, 'rebalanceInProgress');
    group.awaitedSyncs.clear();
    group.syncDeadline.clear();
    const wasEmpty = group.state === 'Empty';
    group.state = 'PreparingRebalance';
    group.emptySinceMs = undefined;
    this.#log.debug({ group: group.id, generation: group.generationId, reason }, 'a group rebalances');
    if (wasEmpty) this.#gather(group);
    else if (group.hasAllJoined) this.completeJoin(group);
    else group.joinDeadline.set(group.rebalanceTimeoutMs);
  }

  completeIfAllJoined(group: Group): void {
    if (group.state !== 'PreparingRebalance' || group.gathering !== undefined) return;
    if (group.hasAllJoined) this.completeJoin(group);
  }

  /** Ends the joining: who is there is the next generation. */
  completeJoin(group: Group): void {
    this.#endGathering(group);
    group.joinDeadline.clear();
    for (const member of [...group.members.values()]) {
      if (member.awaitingJoin === undefined && !member.isStatic) this.remove(group, member);
    }
    if (group.members.size > 0 && !electLeader(group)) {
      // Only static members are left, and none of them came: until they do, or their sessions end.
      group.joinDeadline.set(group.rebalanceTimeoutMs);
      return;
    }
    group.generationId++;
    group.protocolName = group.selectProtocol() ?? null;
    group.awaitedSyncs.clear();
    const fields = { group: group.id, generation: group.generationId, members: group.members.size };
    if (group.members.size === 0) {
      group.state = 'Empty';
      group.emptySinceMs = Date.now();
      this.#log.debug(fields, 'a group is empty');
      return;
    }
    group.state = 'CompletingRebalance';
    this.#log.debug(fields, 'the members of a group are settled');
    for (const member of group.members.values()) {
      member.isNew = false;
      group.answerJoin(member, group.joined(member));
      member.session.set(member.sessionTimeoutMs);
      group.awaitedSyncs.add(member.id);
    }
    group.syncDeadline.set(group.rebalanceTimeoutMs);
  }

  /** Takes the leader's assignment and gives each member its own. */
  assign(group: Group, assignments: ReadonlyMap<string, Uint8Array>): void {
    for (const member of group.members.values()) group.assign(member, assignments.get(member.id) ?? NO_BYTES);
    group.state = 'Stable';
    for (const member of group.members.values()) this.#answerAwaited(member, group.synced(member));
  }

  /** Takes all assignments back and refuses who waits for one. */
  dropAssignments(group: Group, error: GroupError): void {
    for (const member of group.members.values()) {
      group.assign(member, NO_BYTES);
      this.#answerAwaited(member, refusedSync(error));
    }
  }

  /** Members that were told the generation never asked for their assignment. */
  expireSyncs(group: Group): void {
    for (const id of [...group.awaitedSyncs]) {
      const member = group.members.get(id);
      if (member !== undefined) this.remove(group, member);
    }
    this.begin(group, 'members did not ask for their assignment');
  }

  /** A member was not heard in time, or its connections are closed. */
  expireMember(group: Group, member: Member): void {
    if (member.isExcused) return;
    this.#log.debug({ group: group.id, member: member.id }, 'a member is gone');
    this.leave(group, member);
    this.afterLeave(group, 'a member is gone');
  }

  /** Takes a member out that leaves or is gone, without what follows for the others. */
  leave(group: Group, member: Member): void {
    group.answerJoin(member, refusedJoin('unknownMemberId', ''));
    this.remove(group, member);
  }

  /** What follows for the others. */
  afterLeave(group: Group, reason: string): void {
    if (group.state === 'Stable' || group.state === 'CompletingRebalance') this.begin(group, reason);
    else this.completeIfAllJoined(group);
  }

  /** Lets go of a member. */
  remove(group: Group, member: Member): void {
    group.remove(member);
    answerSync(member, refusedSync('unknownMemberId'));
    member.session.clear();
    this.#presence.detach(member);
  }

  removePending(group: Group, id: string): void {
    const pending = group.pending.get(id);
    if (pending === undefined) return;
    group.removePending(pending);
    pending.session.clear();
    this.#presence.detach(pending);
  }

  /** Ends what a group that is dropped has under way. */
  abandon(group: Group): void {
    this.#endGathering(group);
    group.joinDeadline.clear();
    group.syncDeadline.clear();
    for (const member of [...group.members.values()]) {
      group.answerJoin(member, refusedJoin('coordinatorNotAvailable', member.id));
      answerSync(member, refusedSync('coordinatorNotAvailable'));
      this.remove(group, member);
    }
    for (const id of [...group.pending.keys()]) this.removePending(group, id);
  }

  /** Who waited was excused from being heard, and no longer is. */
  #answerAwaited(member: Member, result: SyncResult): void {
    if (member.awaitingSync === undefined) return;
    answerSync(member, result);
    member.session.set(member.sessionTimeoutMs);
  }

  /** Lets those who come in the same turn as the first member be in the first generation. */
  #gather(group: Group): void {
    group.gathering = setImmediate(() => {
      group.gathering = undefined;
      if (group.pending.size > 0) group.joinDeadline.set(groupPendingJoinWaitMs);
      else this.completeJoin(group);
    });
  }

  #endGathering(group: Group): void {
    clearImmediate(group.gathering);
    group.gathering = undefined;
  }
}

/** A SyncGroup that brings no assignment. */
export function refusedSync(error: GroupError): SyncResult {
  return { error, protocolType: null, protocolName: null, assignment: NO_BYTES };
}

/** Answers a SyncGroup that waits, if one does. */
export function answerSync(member: Member, result: SyncResult): void {
  const answer = member.awaitingSync;
  if (answer === undefined) return;
  member.awaitingSync = undefined;
  answer(result);
}

/** Has somebody lead who joined. Whether anybody did. */
function electLeader(group: Group): boolean {
  const leader = group.leaderId === null ? undefined : group.members.get(group.leaderId);
  if (leader?.awaitingJoin !== undefined) return true;
  for (const member of group.members.values()) {
    if (member.awaitingJoin !== undefined) {
      group.leaderId = member.id;
      return true;
    }
  }
  return false;
}
