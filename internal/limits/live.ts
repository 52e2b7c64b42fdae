/** Limits and defaults of capture and replay, each with its unit in its name and the reason for its value. */

import { KiB, MiB } from './units.ts';

/** Bytes of live messages on their way to the disk before their publishers pause. */
export const maxCaptureWaitingBytes = 16 * MiB;
/**
 * A batch of live messages is written when it has this size, or at the end of the turn: whoever reads it, and every replay that
 * waits for a client in the middle of it, has all of it in memory.
 */
export const captureBatchBytes = 512 * KiB;
/** Bytes that a replay reads at once: much for a disk, little for a subscriber that is slow. */
export const replayReadBytes = 256 * KiB;
/** Bytes that live delivery reads at once where it fell behind the log, for the same reason. */
export const liveReadBytes = 256 * KiB;
/** A batch of imported records has about this size, as those of Kafka's producers may have. */
export const importedBatchBytes = 512 * KiB;
