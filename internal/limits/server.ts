/** Limits and defaults of the whole server, each with its unit in its name and the reason for its value. */

import { GiB, MiB } from './units.ts';

/** How long a stop waits for what was accepted to be delivered. */
export const shutdownTimeoutMs = 10_000;

/** A store of SQLite needs room for the next transactions to say that it has none. */
export const fullDiskBytes = 16 * MiB;
/** A disk with less is nearly full, where that is also a small part of it: hours of a busy log. */
export const nearlyFullDiskBytes = GiB;
export const nearlyFullDiskShare = 0.1;

/** What a broker of a test remembers of what was published: more than a test looks at, and no long run fills the memory. */
export const recordedMessages = 100_000;
export const recordedBytes = 256 * MiB;
/** How long a test waits for messages: as long as test runners wait for a test. */
export const receivedTimeoutMs = 5_000;

/** Bytes of a file of options: all options fit a hundred times, and a mistaken file does not fill the memory. */
export const maxOptionsFileBytes = MiB;
/** Faults of a file of options that are shown: who has to mend more begins with these. */
export const maxOptionsFileProblems = 20;
