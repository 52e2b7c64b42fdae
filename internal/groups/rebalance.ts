import type { Clock } from '../lib/clock.ts';
import { groupPendingJoinWaitMs } from '../limits/groups.ts';
import { type Group, refusedJoin } from './group.ts';
import { type GroupError, type JoinResult, NO_BYTES, type SyncResult } from './group-types.ts';
import { GroupTooLargeError, type KeptGroups } from './kept-groups.ts';
import type { Member } from './member.ts';
import type { Presence } from './presence.ts';

/** The log lines about groups, for people. */
export interface GroupLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/**
 * Takes a group from one generation to the next:
 *
 *     Empty ──▶ PreparingRebalance ──▶ CompletingRebalance ──▶ Stable
 *       ▲           │        ▲                  │                 │
 *       └───────────┘        └──────────────────┴─────────────────┘
 *
 * While it prepares, members join and wait until all are there. Then each is told the generation and asks for its
 * assignment, which the leader brings. A member is told a generation, or its assignment, when the store has it: after a
 * restart nobody knows of more than the broker does.
 */
export class Rebalance {
  readonly #presence: Presence;
  readonly #kept: KeptGroups;
  readonly #log: GroupLog;
  readonly #clock: Clock;

  constructor(presence: Presence, kept: KeptGroups, log: GroupLog, clock: Clock) {
    this.#presence = presence;
    this.#kept = kept;
    this.#log = log;
    this.#clock = clock;
  }

  /** After the members of a group changed: begins a rebalance, or ends the one that is under way if it can. */
  beginOrComplete(group: Group, reason: string): void {
    if (group.state === 'PreparingRebalance') this.completeIfAllJoined(group);
    else this.begin(group, reason);
  }

  /** Goes on where the group was when the broker stopped, with all the time that its members then had. */
  resume(group: Group): void {
    if (group.state === 'PreparingRebalance') group.joinDeadline.set(group.rebalanceTimeoutMs);
    if (group.state !== 'CompletingRebalance') return;
    for (const id of group.members.keys()) group.awaitedSyncs.add(id);
    group.syncDeadline.set(group.rebalanceTimeoutMs);
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
      group.emptySinceMs = this.#clock.now();
      this.#kept.note(group.id);
      this.#log.debug(fields, 'a group is empty');
      return;
    }
    group.state = 'CompletingRebalance';
    this.#log.debug(fields, 'the members of a group are settled');
    const answers: [(result: JoinResult) => void, JoinResult][] = [];
    for (const member of group.members.values()) {
      member.isNew = false;
      const answer = group.takeJoin(member);
      if (answer !== undefined) answers.push([answer, group.joined(member)]);
      member.session.set(member.sessionTimeoutMs);
      group.awaitedSyncs.add(member.id);
    }
    group.syncDeadline.set(group.rebalanceTimeoutMs);
    this.#answerWhenKept(group, answers);
  }

  /** Takes the leader's assignment and gives each member its own when the store has them. */
  assign(group: Group, assignments: ReadonlyMap<string, Uint8Array>): void {
    for (const member of group.members.values()) group.assign(member, assignments.get(member.id) ?? NO_BYTES);
    const assigning = {};
    group.assigning = assigning;
    this.#kept.keep(group.id).then(
      () => {
        if (group.assigning === assigning) this.#assigned(group);
      },
      (error: Error) => {
        if (group.assigning === assigning) this.#refuseAssignments(group, error);
      },
    );
  }

  /** Answers JoinGroups when the store has the group as it is now. */
  answerWhenKept(group: Group, answer: (result: JoinResult) => void, result: JoinResult): void {
    this.#answerWhenKept(group, [[answer, result]]);
  }

  /** Takes all assignments back and refuses who waits for one. */
  dropAssignments(group: Group, error: GroupError): void {
    group.assigning = undefined;
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
    this.#kept.note(group.id);
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

  /** Tells the other members. */
  afterLeave(group: Group, reason: string): void {
    if (group.state === 'Stable' || group.state === 'CompletingRebalance') this.begin(group, reason);
    else this.completeIfAllJoined(group);
    this.#kept.note(group.id);
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
    group.assigning = undefined;
    for (const member of [...group.members.values()]) {
      group.answerJoin(member, refusedJoin('coordinatorNotAvailable', member.id));
      answerSync(member, refusedSync('coordinatorNotAvailable'));
      this.remove(group, member);
    }
    for (const id of [...group.pending.keys()]) this.removePending(group, id);
  }

  #assigned(group: Group): void {
    group.assigning = undefined;
    group.state = 'Stable';
    for (const member of group.members.values()) this.#answerAwaited(member, group.synced(member));
  }

  #refuseAssignments(group: Group, error: Error): void {
    this.dropAssignments(group, this.#refusal(group, error));
    this.begin(group, 'the assignment could not be kept');
  }

  #answerWhenKept(group: Group, answers: readonly [(result: JoinResult) => void, JoinResult][]): void {
    this.#kept.keep(group.id).then(
      () => {
        for (const [answer, result] of answers) answer(result);
      },
      (error: Error) => {
        const refusal = this.#refusal(group, error);
        for (const [answer, { memberId }] of answers) answer(refusedJoin(refusal, memberId));
      },
    );
  }

  /** Answers the members of a group that could not be kept. The store itself logs that it fails, once. */
  #refusal(group: Group, error: Error): GroupError {
    if (!(error instanceof GroupTooLargeError)) return 'coordinatorNotAvailable';
    this.#log.warn({ group: group.id, bytes: error.bytes }, 'a group is too large to be kept');
    return 'unknownServerError';
  }

  /** Waiting members sent no heartbeats; their session timeouts start again now. */
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
