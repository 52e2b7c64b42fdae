/** Limits and defaults of consumer groups, each with its unit in its name and the reason for its value. */

import { MiB } from './units.ts';

/** Consumer groups. */
/** Bounds of a member's session timeout, as Kafka's: shorter ones would follow every hiccup of a network. */
export const minGroupSessionTimeoutMs = 6_000;
export const maxGroupSessionTimeoutMs = 30 * 60_000;
/** How long a member that asked for its id for the first time waits for the others before it has to ask again. */
export const groupNewMemberJoinTimeoutMs = 5 * 60_000;
/** How long the first generation waits for members that were just given an id: some round trips. */
export const groupPendingJoinWaitMs = 100;
/** How long one that was only told its id keeps it without a connection: it has nothing to lose, and others wait for it. */
export const groupGonePendingGraceMs = 1_000;
/**
 * How long a member without a connection stays when a client of its name and host joins: it is probably that one, started
 * again. If not, it is heard in this time, which clients need to connect again (1 s) and until their next heartbeat (3 s).
 */
export const groupPredecessorWaitMs = 4_000;
/** What a group may have in the store: its members and assignments are written as one, in each generation twice. */
export const maxStoredGroupBytes = 64 * MiB;
/** Groups at once, most of them nothing but the offsets of readers that came and went. */
export const maxGroups = 100_000;
/** Members of one group: with each of them a rebalance gets slower for all. */
export const maxMembersPerGroup = 10_000;
/** What a member may say when it joins: names and metadata of a thousand topics with long names fit in well. */
export const maxGroupMemberBytes = 4 * MiB;
/** What all groups may have in memory: names, members, assignments. */
export const maxGroupsBytes = 256 * MiB;
/** What all committed offsets may take in memory: more than a million of them, with short notes. */
export const maxCommittedOffsetsBytes = 256 * MiB;
/** Characters of the note that may stand beside a committed offset, as in Kafka. */
export const maxOffsetMetadataCharacters = 4_096;
/** How long offsets outlast the last member of their group, as in Kafka. */
export const groupOffsetsRetentionMs = 7 * 24 * 3_600_000;
/** How often groups are looked through for offsets that are too old, and for groups that nothing is left of. */
export const groupSweepEveryMs = 10 * 60_000;
/** Groups that are looked through in one turn; everybody else waits meanwhile, well below a millisecond. */
export const groupsPerSweepTurn = 500;
/** How often such groups are looked for when there is no room for another one. */
export const idleGroupsDropEveryMs = 1_000;
