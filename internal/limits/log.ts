/** Limits and defaults of logs: retention, compaction, producers, each with its unit in its name and the reason for its value. */

import { KiB, MiB } from './units.ts';

/** Memory for the newest batches of all logs: consumers near the end of a busy log then never touch the disk. */
export const tailCacheBytes = 64 * MiB;
/** How often logs are looked through for what is too old, too much, or to be compacted: as Kafka's cleaner does. */
export const retentionEveryMs = 15_000;
/** When they are looked through for the first time: the first moment after a start belongs to clients. */
export const retentionFirstAfterMs = 1_000;
/**
 * Partitions of all logs together, 5 KB of memory each: every topic of a `-log` filter is one, and anybody who may
 * publish makes topics.
 */
export const maxLogPartitions = 50_000;
/** How long a log keeps records by default: as Kafka does. */
export const logRetentionMs = 7 * 24 * 3_600_000;
/** Idempotent producers that one partition remembers, 200 bytes each; the ones that were quiet longest go first. */
export const maxProducersPerPartition = 100_000;
/** How long a partition remembers a quiet producer: as Kafka's `producer.id.expiration.ms`. */
export const producerExpirationMs = 24 * 3_600_000;
// Compaction of logs by key.
/** Memory for the keys of one compaction: some 800,000 of them; with more it takes several passes over the log. */
export const compactionKeysBytes = 24 * MiB;
/** Bytes that compaction reads and replaces at once: appends wait for no more than one such step. */
export const compactionReadBytes = 256 * KiB;
/** Bytes that one change has in a Kafka log directory, where each change writes whole segments anew. */
export const compactionGatherBytes = 64 * MiB;
/** How long compaction works before the broker's other work has its turn. */
export const compactionSliceMs = 5;
/**
 * Where compaction read this much and found too little that was old enough, it waits a second before it looks again:
 * looking takes a small part of the disk's time then.
 */
export const compactionLookBytesPerSecond = 1 * MiB;
/** Producers whose last batch is looked for while a partition is compacted; the batches of others may go. */
export const maxCompactionProducers = 100_000;
