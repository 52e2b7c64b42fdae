/** Limits and defaults of the HTTP door, each with its unit in its name and the reason for its value. */

import { KiB } from './units.ts';

/** How long a request may take to arrive: the largest message over a line of half a megabit a second. */
export const httpRequestTimeoutMs = 300_000;
/** How often a stream without messages says that it is there: below the minute after which proxies give up. */
export const httpStreamQuietMs = 15_000;
/** Messages of a log in one answer, where the request says nothing else: a screen or two. */
export const httpReadMessages = 100;
/** The most that a request may ask for: more is followed, not read. */
export const httpReadMessagesCeiling = 1_000_000;
/** Bytes of a log that are read at once for an answer. */
export const httpReadBytes = 256 * KiB;
/** The id of an event, which names a place in every log that is followed: browsers send it back in a header. */
export const httpEventIdBytes = 4 * KiB;
/** Streams of events at once: each may read logs. */
export const httpStreams = 10_000;
/** User properties of one message: headers together have at most 16 KiB. */
export const httpUserProperties = 100;
