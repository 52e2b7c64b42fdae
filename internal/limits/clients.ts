/** Limits and defaults of the programs' own clients, each with its unit in its name and the reason for its value. */

import { MiB } from './units.ts';

// The `tinymq` program.
/** Bytes of one answer that `tinymq` takes: a Fetch may hold one batch that is larger than what was asked for. */
export const maxKafkaAnswerBytes = 256 * MiB;
/** What the client of `tinymq smq` may hold of responses, in MiB: one may be as large as the service allows. */
export const smqClientMemoryMiB = 1_024;
/** Bytes that `tinymq produce` has read and not yet sent: enough to fill a connection, little for any machine. */
export const maxProducerWaitingBytes = 32 * MiB;
/** Bytes of one partition that `tinymq consume` asks for at once, and of all of them: as the Java client does. */
export const readerPartitionBytes = 1 * MiB;
export const readerTotalBytes = 50 * MiB;
/** How long a broker may wait for messages before it answers `tinymq consume` that there are none. */
export const readerWaitMs = 500;
/** How long a group waits for a sign of life of `tinymq consume -group` before it goes on without it. */
export const memberSessionTimeoutMs = 10_000;
/** How often it gives one: several times within that. */
export const memberHeartbeatMs = 2_000;
/** How long the group waits for it to finish what it has when partitions are shared anew. */
export const memberRebalanceTimeoutMs = 30_000;
/** How long it waits for the others to do so: they say how long themselves, the Java client five minutes. */
export const memberLongestJoinMs = 330_000;
/** How often it stores how far it has read: as the Java client does. */
export const groupCommitEveryMs = 5_000;
