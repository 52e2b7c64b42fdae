/** Limits of what nodes of a cluster send one another, each with its unit in its name and the reason for its value. */

import { MiB } from './units.ts';

/** Bytes on their way to another node before publishers pause: what a link of 1 Gbit/s takes in an eighth of a second. */
export const linkWindowBytes = 16 * MiB;
/** A packet between nodes: below the `max_payload` of 8 MB that NATS servers are configured with, heads included. */
export const linkPacketBytes = 7 * MiB;
/** How long publishers wait for a node that takes nothing and says nothing: two of its beats and some more, and less than until it counts as gone. */
export const linkPatienceMs = 2_500;
/** How often a node says what version its filters have, so that one that missed a change asks for all of them. */
export const linkBeatMs = 1_000;
/** How long SUBACK waits until other nodes know the filter: they do within a millisecond, and who is stuck must hold up nobody. */
export const interestWaitMs = 200;
/** Bytes of one packet of filters or client ids, as JSON makes them in the worst case. */
export const newsBytes = 2 * MiB;
/** Packets that one beat asks for: more of them are asked for with the next ones. */
export const askedPackets = 1_000;
