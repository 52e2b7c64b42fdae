/** Limits and defaults of the persistence of sessions, each with its unit in its name and the reason for its value. */

import { MiB } from './units.ts';

/**
 * Bytes of stored sessions and retained messages that are read at once at the start: so many that a read pays, and so few
 * that reading and taking over go on side by side.
 */
export const storeRestoreBytes = MiB / 4;
/**
 * Changes of sessions that wait for the disk before publishers pause: a third of a second of its time. One message for
 * 10,000 sessions is 10,000 of them.
 */
export const sessionChangesWaiting = 16_384;
/**
 * Changes with which retained messages of QoS 2, two changes each, wait where they are: enough for the next transaction, and
 * so few that the publishers of live messages never wait for them.
 */
export const sessionChangesBusy = 2_048;
/**
 * How long a message that was sent waits to be acknowledged rather than written, if its client is quick as a rule: as long
 * as a transaction of the store takes, so that its publisher waits twice as long at worst, but at least and at most so long.
 */
export const acknowledgementWaitMs = 5;
export const acknowledgementWaitAtMostMs = 50;
/** Retained messages that are on their way to a cluster's servers at once: so many are synced together, and are there within their time. */
export const sharedPutsAtOnce = 256;
/** How long a change of users waits for the one that another node made just before: it comes within milliseconds. */
export const sharedAccessNewsMs = 5_000;
/** How often is looked whether nodes are gone whose clients left wills: a second more or less is nothing beside how long a node may be silent. */
export const willsLookMs = 1_000;
/**
 * How long after a node is gone the wills of its clients are published: a node that only lost its NATS server has found another one
 * by then, and clients of a cluster that starts anew are back.
 */
export const nodeWillsAfterMs = 5_000;
/** How often a node that was cut off tries whether a will of its own is still its own. */
export const ownWillRetryMs = 250;
