/** Limits of a cluster on NATS JetStream, each with its unit in its name and the reason for its value. */

import { KiB, MiB } from './units.ts';

/** Messages of one round: JetStream takes no more in an atomic batch. */
export const roundMessages = 1_000;
/** Bytes of one round: a larger one is no faster, and what comes next waits longer. */
export const roundBytes = 4 * MiB;
/**
 * Batches, and bytes of them, that are one message where they wait together: the servers take some ten thousand messages a second, whatever
 * is in them. Whoever reads one batch of a message is sent all of it.
 */
export const packBatches = 256;
export const packBytes = 64 * KiB;
/** How long an unknown outcome rests before its shard is asked again: an election of JetStream takes seconds. */
export const roundRetryMs = 250;
/**
 * How long a write waits for JetStream before its client is told to ask again: longer than an election, which takes 4 to 9 seconds, and
 * shorter than clients wait.
 */
export const writePatienceMs = 15_000;
/** How long JetStream has for an answer: most come within milliseconds, and none in an election. */
export const jetStreamTimeoutMs = 3_000;
/** After how long a question to the leader of a stream is asked once more: one that came before its election is heard by nobody. */
export const lookAgainMs = 300;
/** How many replicas are asked in that time where any of them will do: one of them may stand still. */
export const replicasAsked = 3;
/** How often a follower is told that nothing is new, and when it begins anew because it heard nothing at all. */
export const followerBeatMs = 1_000;
export const followerSilenceMs = 2_500;
/** How often is looked whether a follower that brings nothing misses something, and how long a message may be on its way to it. */
export const followerLookMs = 2_000;
export const followerDelayMs = 500;
/** How often is told of messages that no broker wrote, or that are lost. */
export const messageToldMs = 60_000;
/** Messages and bytes that one request reads at most. */
export const readMessages = 256;
export const readBytes = 4 * MiB;
/** What `max_payload` of the servers has to be at least: a Kafka client's largest batch, with its headers and some more. */
export const leastMaxPayloadBytes = 2 * MiB;
/** Messages that a node which is behind reads at once, with their batches. */
export const catchUpMessages = 1_000;
/** How long a broker that starts waits for NATS, which may be starting too. */
export const startPatienceMs = 60_000;
/** Shards of a new cluster: each is a group of Raft, which costs the servers some percent of a processor for each hundred. */
export const shardCount = 8;
/** How often a batch is looked for that has to be there, and how long between: a replica that is behind catches up meanwhile. */
export const replicaRetries = 20;
export const replicaRetryMs = 100;
/**
 * How often a message is asked for that the leader counts and a replica left out: JetStream chooses by chance who answers, and of three
 * one that is damaged does so often once in half a million times.
 */
export const lastReadTries = 12;
/** How long a server of NATS has for the greeting, with TLS and credentials: it is one round trip or three. */
export const natsConnectMs = 5_000;
/**
 * How often a server is asked whether it is there, and how many questions may wait for an answer: one that stands still, or whose machine is
 * gone, closes no connection. Whoever is connected to it goes to another one.
 */
export const natsPingMs = 1_000;
export const natsPingsOut = 3;
/** A page of a server's monitor: one line for each stream and replica, and others may have many streams there. */
export const monitorPageBytes = 64 * MiB;
/**
 * How long the servers remember that a shared value is gone, in seconds: a node that is cut off for so long has to be started anew,
 * and what came and went costs no space for ever.
 */
export const tombstoneSeconds = 7 * 24 * 3_600;
/** How often a node says that it is there. */
export const nodeBeatMs = 500;
/** A node that was not heard for so long is gone: six beats, as a process that collects garbage misses one or two. */
export const nodeSilenceMs = 3_000;
/** A node that was not heard for so long is asked: where nobody has its connection any more, NATS says so at once. */
export const nodeProbeAfterMs = 1_100;
export const nodeProbeTimeoutMs = 1_000;
/** A node that did not hear itself for so long may have been replaced: it leads nothing until it does. */
export const ownDeafnessMs = 1_500;
/** How often is looked whether a shard lacks an owner, beside each time that something happened. */
export const claimEveryMs = 250;
/** A shard that the first in order does not claim is for the next one after so long. */
export const claimPatienceMs = 2_000;
/** A node that did not take a shard which was given to it is not given that one again for so long. */
export const giveAgainMs = 60_000;
/** A node is given shards when it was there for so long: one that fails again and again would move them to and fro. */
export const settledNodeMs = 10_000;
/**
 * How long the leader of a stream may refuse the very sequence that it says is the last one: what is on its way there is stored by then, or
 * never.
 */
export const contradictionMs = 10_000;
/** How long a node that leaves waits for others to own what it gave away. */
export const leavePatienceMs = 5_000;
/** How long whoever changes a topic waits until other nodes know it: one round trip, or one of them stands still. */
export const topicNewsMs = 1_000;
/** How long a forwarded batch, of which the outcome is not known, rests. */
export const forwardRetryMs = 100;
/** Batches of one partition in one round to its leader: as many as a leader remembers of a producer, so that each may come again. */
export const forwardedPerPartition = 5;
/** Bytes of one round to a leader. */
export const forwardBytes = MiB;
/** How long somebody who looks at a cluster listens for its nodes: each says twice a second that it is there. */
export const beatListenMs = 1_500;
/** How often a reader is made until each server has one: JetStream chooses by chance, and this many miss one of seven once in ten million times. */
export const placementTries = 120;
/** Messages that a reader of one server asks for at once, without their bodies. */
export const replicaReadMessages = 1_000;
/** How long such a reader lasts without a question, and has for an answer: it may read blocks of a slow disk first. */
export const replicaReaderLifeMs = 60_000;
/** Of messages that one server lacks, so many are looked for at the others, as they may have been deleted meanwhile. */
export const lookedForMessages = 200;
/** How long the end of a node waits until the servers have its last live messages: one round trip, or they do not answer. */
export const lastFlushMs = 1_000;
/** How long a check waits until a replica that is behind has what the others have, and how often it looks. */
export const currentPatienceMs = 30_000;
export const currentPollMs = 250;
/** How often, and how far apart, servers are asked how many messages they have: where messages come, two of them are seldom at the same one. */
export const countSamples = 6;
export const countSampleMs = 250;
/** After how long a server that lacks messages is looked at again: one that copies them has more of them by then. */
export const copyingMs = 3_000;
/** How long space that could not be given back rests: nobody waits for it, and servers that refuse it once refuse it for a while. */
export const spaceRetryMs = 5_000;
