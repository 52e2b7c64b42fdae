/** Limits and defaults of the stores, each with its unit in its name and the reason for its value. */

import { GiB, KiB, MiB } from './units.ts';

/**
 * Bytes of one stored batch: SQLite holds 1,000,000,000 bytes in a row, and a batch shares that with its columns.
 */
export const maxStoredBatchBytes = 896 * MiB;
/** Damaged batches that are told once; of more than these each reader is told. */
export const damagedBatchesRemembered = 10_000;
/** Bytes of one transaction of the store: beyond this a larger one is no faster, and the next ones wait longer. */
export const storeGroupBytes = 4 * MiB;
/** Batches of one transaction, for the same reason. */
export const storeGroupBatches = 8_192;
/** Transactions handed to the store's thread at once: one that runs, and one so that the thread never waits. */
export const storeGroupsInFlight = 2;
/** Bytes of the write-ahead log before they go to the main file: a larger one is written with fewer, longer pauses. */
export const storeCheckpointBytes = 64 * MiB;
/** Bytes of pages that a connection to the store keeps in memory. */
export const storeCacheBytes = 8 * MiB;
/** Bytes that one step of giving back space deletes; appends wait for no more than one step. */
export const storeSweepBytes = 4 * MiB;
/** Batches that one such step deletes, for the same reason. */
export const storeSweepBatches = 1_024;
/** Free room that the store's file keeps for what comes next, rather than shrinking and growing all the time. */
export const storeFreeBytesKept = 64 * MiB;
/** Pages by which the file shrinks in one step; appends wait for no more than one step. */
export const storeVacuumPages = 128;
/** First and longest pause before a store that failed is opened again. */
export const storeReopenAfterMs = 100;
export const storeReopenAtMostAfterMs = 5_000;
/**
 * Bytes that a disk which was full has to have free beside what could not be written, before the store says that it works again. A
 * store that fails again within so long asks for twice as much.
 */
export const storeRoomBytes = 256 * KiB;
export const storeRoomSoonMs = 60_000;
/** How long a connection to the store waits for another one: only a checkpoint holds one up, for a moment. */
export const storeBusyTimeoutMs = 10_000;
// The Kafka log directory.
/** Bytes of a segment where its topic says nothing else: Kafka's own default. */
export const kafkaSegmentBytes = 1 * GiB;
/** The same in a data folder: space comes back a segment at a time, and one that is full is read no slower than a large one. */
export const dataFolderSegmentBytes = 64 * MiB;
/** Bytes that a disk has to have free beside the copy of an older store's logs: indexes, the redo log, and what clients bring then. */
export const conversionSpareBytes = 128 * MiB;
/** Bytes at the end of each partition of a copy that is compared before it goes on: more than a crash can leave a part of. */
export const conversionCheckedBytes = 8 * MiB;
/** How often the log tells how far such a copy is. */
export const conversionToldEveryMs = 5_000;
/** Partitions of `__consumer_offsets` where there is none yet: Kafka's own default. */
export const kafkaOffsetsPartitions = 50;
/** The largest segment whatever a topic says: positions in Kafka's index files have 31 bits. */
export const kafkaSegmentBytesCeiling = 2 * GiB - 1;
/** Bytes of batches between two entries of an index file: Kafka's own default. */
export const kafkaIndexIntervalBytes = 4 * KiB;
/** Bytes of batches between two hints in memory: a read passes over so much at most, 10 GB have 160,000 of them. */
export const kafkaHintIntervalBytes = 64 * KiB;
/** What is looked at of an index file: 16 times what a segment of the usual size needs. */
export const kafkaIndexFileBytes = 32 * MiB;
/** Bytes read at once while batch headers are followed: many small batches, or a page where batches are large. */
export const kafkaWalkBytes = 128 * KiB;
export const kafkaWalkPageBytes = 4 * KiB;
/** Bytes read from a segment at once for a reader: as much as one fetch usually asks for. */
export const kafkaReadBytes = 4 * MiB;
/**
 * Segment files open at once for reading, and as many for writing: at least, at most, and in between the part of those that the
 * system lets this process open. A file that is not open takes three more calls of the system for each small batch.
 */
export const kafkaOpenFilesAtLeast = 128;
export const kafkaOpenFilesAtMost = 2_048;
export const kafkaOpenFilesShare = 1 / 8;
/** The part of the time that a sync took that the next group waits for those who were answered by it, and at most so long. */
export const gatherShare = 0.5;
export const gatherAtMostMs = 2;
/**
 * Bytes that a start after a crash reads of the batches behind the last entry of a partition's index: those that wait in memory are
 * written then, and what is known of producers and transactions is noted. A thousand partitions have 2 GiB at most.
 */
export const kafkaUnwrittenWalkBytes = 2 * MiB;
/** Batches of idempotent producers in a partition before their state goes to the journal: so many headers are read after a crash. */
export const kafkaProducerNoteBatches = 512;
/** Bytes that go through the redo log at once: of a larger group the second copy costs more than syncs of its files. */
export const kafkaRedoGroupBytes = 1 * MiB;
/** Bytes of one of the two files of the redo log before the files that it stands for are synced. */
export const kafkaRedoBytes = 32 * MiB;
/**
 * So many times that may be in one of them while the files of the other one are synced, before everything waits for these: 1,000 of them take
 * some seconds. A start after a crash writes all of both again, 128 MiB at most.
 */
export const kafkaRedoWaitAt = 2;
/** Bytes by which a file of the redo log grows: some seconds of many small groups. */
export const kafkaRedoRoomBytes = 1 * MiB;
/** Files that a checkpoint syncs at once: the runtime has four threads for files, and what waits for an acknowledgement needs the others. */
export const kafkaSyncsAtOnce = 2;
/** Partitions whose files are made at once, and names that are synced at once: each has a descriptor open. */
export const kafkaNewFilesAtOnce = 16;
/** Bytes of the store's own journal before it is written anew with what still counts. */
export const kafkaJournalBytes = 4 * MiB;
// Copies of a store.
/** Pages that a backup copies in one step, 4 MiB: others get their turn between steps. */
export const backupStepPages = 256;
/** Batches that are verified between two looks at whether somebody stopped it. */
export const verifyBatchesBetween = 256;
/** Problems that are listed: a store with more of them is not mended line by line. */
export const verifyProblems = 100;
