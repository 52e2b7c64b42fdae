/** Limits and defaults of sockets and listeners, each with its unit in its name and the reason for its value. */

import { KiB, MiB } from './units.ts';

/** How long a connection is quiet before TCP probes it: below the few minutes after which NATs forget it. */
export const tcpKeepAliveAfterMs = 60_000;
/** Bytes a socket takes before it asks to wait. Two full reads: enough to keep the kernel busy. */
export const socketHighWaterMarkBytes = 128 * KiB;
/**
 * Bytes that sockets bring between two collections of the buffers that they came in: half of what V8 lets grow outside of its heap
 * before it looks through all of that, and so much that a collection, a third of a millisecond, is little beside them.
 */
export const freeAfterReadBytes = 32 * MiB;
/** A WebSocket message may hold a whole frame: the largest payload and some of what stands around it. */
export const webSocketMessageSlackBytes = 256 * KiB;
/** How long a connection that was told why it is closed stays half open, so that it can read that. */
export const lingerMs = 2_000;
/** How often certificate files are looked at for a change. */
export const certificateWatchMs = 2_000;
/** Group and owner: programs of other users on the machine are not let in by default. */
export const socketMode = 0o660;
