/** Limits of a cluster on NATS JetStream, each with its unit in its name and the reason for its value. */

import { MiB } from './units.ts';

/** Messages of one round: JetStream takes no more in an atomic batch. */
export const roundMessages = 1_000;
/** Bytes of one round: a larger one is no faster, and what comes next waits longer. */
export const roundBytes = 4 * MiB;
/** How long an unknown outcome rests before its shard is asked again: an election of JetStream takes seconds. */
export const roundRetryMs = 250;
/**
 * How long a write waits for JetStream before its client is told to ask again: longer than an election, which takes 4 to 9 seconds, and
 * shorter than clients wait.
 */
export const writePatienceMs = 15_000;
