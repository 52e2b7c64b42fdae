import { randomUUID } from 'node:crypto';
import type { DeadlineTimer } from '../lib/deadline-timer.ts';
import {
  groupGonePendingGraceMs,
  groupNewMemberJoinTimeoutMs,
  groupPredecessorWaitMs,
  maxGroupMemberBytes,
  maxGroupsBytes,
  maxMembersPerGroup,
} from '../limits/groups.ts';
import { type Group, type GroupMemory, type PendingMember, refusedJoin } from './group.ts';
import type { GroupRecord } from './group-record.ts';
import type { JoinRequest, JoinResult } from './group-types.ts';
import { type Answer, Member, type MemberProfile, memberBytes, profileOf, protocolsOf } from './member.ts';
import type { GroupClient, Presence } from './presence.ts';
import { answerSync, type Rebalance, refusedSync } from './rebalance.ts';

/** The services that joining shares with the rest of the groups. */
export interface JoinParts {
  readonly deadlines: DeadlineTimer;
  readonly presence: Presence;
  readonly rebalance: Rebalance;
  readonly memory: GroupMemory;
}

/** One JoinGroup with what it needs on its way. */
interface Joining {
  readonly group: Group;
  readonly request: JoinRequest;
  readonly protocols: ReadonlyMap<string, Uint8Array>;
  readonly client: GroupClient;
  readonly answer: Answer<JoinResult>;
}

/** Lets members into groups. */
export class Joins {
  readonly #parts: JoinParts;

  constructor(parts: JoinParts) {
    this.#parts = parts;
  }

  /** Answers at once, or when the group has settled who is in it. */
  join(group: Group, request: JoinRequest, client: GroupClient, answer: Answer<JoinResult>): void {
    const joining = { group, request, protocols: protocolsOf(request.protocols), client, answer };
    if (!this.#hasRoom(joining)) answer(refusedJoin('groupMaxSizeReached', ''));
    else if (!group.supports(request.protocolType, joining.protocols)) {
      answer(refusedJoin('inconsistentGroupProtocol', request.memberId));
    } else if (request.memberId === '') this.#joinNew(joining);
    else this.#joinKnown(joining);
  }

  /** A member was heard: it keeps its place for another session timeout. What a closed connection left counts no more. */
  heard(group: Group, member: Member, client: GroupClient): void {
    if (client.closed.aborted) return;
    this.#parts.presence.attach(member, client);
    if (member.isCutOff) {
      member.isCutOff = false;
      group.namesakes.isBack(member);
    }
    member.session.set(member.isNew ? groupNewMemberJoinTimeoutMs : member.sessionTimeoutMs);
  }

  #hasRoom({ group, request, protocols }: Joining): boolean {
    if (request.memberId === '' && group.members.size + group.pending.size >= maxMembersPerGroup)
      return false;
    const before = group.members.get(request.memberId)?.sizeBytes ?? 0;
    const bytes = memberBytes(request.memberId, protocols) + request.clientId.length;
    return bytes <= maxGroupMemberBytes && this.#parts.memory.bytes + bytes - before <= maxGroupsBytes;
  }

  #joinNew(joining: Joining): void {
    const { group, request, answer } = joining;
    const id = `${request.groupInstanceId ?? request.clientId}-${randomUUID()}`;
    if (request.groupInstanceId === null) this.#hurryPredecessors(joining);
    const known = request.groupInstanceId === null ? undefined : group.staticMember(request.groupInstanceId);
    if (known !== undefined) {
      this.#replace(joining, known, id);
    } else if (request.groupInstanceId === null && request.needsKnownMemberId) {
      this.#addPending(joining, id);
      answer(refusedJoin('memberIdRequired', id));
    } else {
      this.#add(joining, id);
    }
  }

  #joinKnown(joining: Joining): void {
    const { group, request, protocols, client, answer } = joining;
    const { rebalance } = this.#parts;
    if (request.groupInstanceId === null && group.pending.has(request.memberId)) {
      this.#add(joining, request.memberId);
      return;
    }
    const member = group.identify(request);
    if (typeof member === 'string') {
      answer(refusedJoin(member, request.memberId));
      return;
    }
    this.heard(group, member, client);
    const isUnchanged = member.matches(protocols);
    const isSettled =
      (group.state === 'CompletingRebalance' && isUnchanged) ||
      (group.state === 'Stable' && isUnchanged && !group.isLeader(member));
    if (isSettled) {
      // The answer was lost, or a follower asks to be sure. A leader that asks when all is stable wants to assign anew.
      answer(group.joined(member));
      return;
    }
    group.update(member, request, protocols);
    group.awaitJoin(member, answer);
    rebalance.beginOrComplete(group, 'a member joins again');
  }

  #add(joining: Joining, id: string): void {
    const { group, answer } = joining;
    this.#parts.rebalance.removePending(group, id);
    const member = this.#newMember(group, id, profileOf(joining.request, joining.protocols, joining.client));
    member.isIdTold = joining.request.memberId !== '';
    group.add(member);
    group.awaitJoin(member, answer);
    this.heard(group, member, joining.client);
    this.#parts.rebalance.beginOrComplete(group, 'a member joins');
  }

  /** A static member that was started again takes the place, and the assignment, of the one that it was. */
  #replace(joining: Joining, before: Member, id: string): void {
    const { group, request, answer } = joining;
    const { rebalance, presence } = this.#parts;
    const leaderBefore = group.leaderId ?? '';
    group.answerJoin(before, refusedJoin('fencedInstanceId', before.id));
    answerSync(before, refusedSync('fencedInstanceId'));
    before.session.clear();
    presence.detach(before);

    const member = this.#newMember(group, id, profileOf(joining.request, joining.protocols, joining.client));
    member.isNew = false;
    member.assignment = before.assignment;
    group.replace(before, member);
    this.heard(group, member, joining.client);

    if (group.state === 'Stable' && group.selectProtocol() === group.protocolName) {
      if (request.canSkipAssignment) {
        const skipAssignment = group.isLeader(member);
        rebalance.answerWhenKept(group, answer, { ...group.joined(member), skipAssignment });
      } else {
        // It must not take itself for the leader: nobody waits for an assignment.
        const joined = group.joined(member, { withMembers: false });
        rebalance.answerWhenKept(group, answer, { ...joined, leader: leaderBefore });
      }
      return;
    }
    group.awaitJoin(member, answer);
    rebalance.beginOrComplete(group, 'a static member came back');
  }

  /** Puts a group that the store has where it was. Its members have their whole session timeout to be heard again. */
  restore(group: Group, record: GroupRecord): void {
    for (const stored of record.members) {
      const member = this.#newMember(group, stored.id, stored);
      member.isNew = false;
      group.add(member);
      group.assign(member, stored.assignment);
      member.session.set(member.sessionTimeoutMs);
    }
    group.restore(record);
    this.#parts.rebalance.resume(group);
  }

  #newMember(group: Group, id: string, profile: MemberProfile): Member {
    return new Member(id, profile, (member) => ({
      session: this.#parts.deadlines.add(() => this.#parts.rebalance.expireMember(group, member)),
      gone: () => this.#cutOff(group, member),
    }));
  }

  /** The last connection of a member was closed. It stays for its session timeout, unless nobody can come back as it. */
  #cutOff(group: Group, member: Member): void {
    member.isCutOff = true;
    answerSync(member, refusedSync('coordinatorNotAvailable'));
    if (member.isNew && !member.isIdTold && !member.isStatic) {
      group.answerJoin(member, refusedJoin('coordinatorNotAvailable', member.id));
      this.#parts.rebalance.expireMember(group, member);
      return;
    }
    // It still counts as one that joined: its answer is given again when it comes back.
    if (member.awaitingJoin !== undefined) group.awaitJoin(member, () => {});
    member.session.setNoLaterThan(member.sessionTimeoutMs);
  }

  /**
   * A program that was started again need not wait until the session of the one that it was ends: that one has as long
   * as a client with a connection takes to be heard.
   */
  #hurryPredecessors({ group, request, client }: Joining): void {
    for (const member of group.namesakes.predecessors(request.clientId, client.host)) {
      group.answerJoin(member, refusedJoin('coordinatorNotAvailable', member.id));
      member.session.setNoLaterThan(groupPredecessorWaitMs);
    }
  }

  #addPending({ group, request, client }: Joining, id: string): void {
    const { deadlines, presence, rebalance } = this.#parts;
    const session = deadlines.add(() => {
      rebalance.removePending(group, id);
      rebalance.completeIfAllJoined(group);
    });
    const pending: PendingMember = {
      id,
      session,
      clients: new Set(),
      gone: () => session.setNoLaterThan(groupGonePendingGraceMs),
    };
    group.addPending(pending);
    session.set(request.sessionTimeoutMs);
    presence.attach(pending, client);
  }
}
