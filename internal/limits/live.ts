/** Limits and defaults of capture and replay, each with its unit in its name and the reason for its value. */

import { KiB, MiB } from './units.ts';

/** Bytes of live messages on their way to the disk before their publishers pause. */
export const maxCaptureWaitingBytes = 16 * MiB;
/** Bytes that a replay reads at once: much for a disk, little for a subscriber that is slow. */
export const replayReadBytes = 256 * KiB;
/** Bytes that live delivery reads at once where it fell behind the log, for the same reason. */
export const liveReadBytes = 256 * KiB;
