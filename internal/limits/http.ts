/** Limits and defaults of the HTTP door, each with its unit in its name and the reason for its value. */

import { KiB } from './units.ts';

/** How long a request may take to arrive: the largest message over a line of half a megabit a second. */
export const httpRequestTimeoutMs = 300_000;
/** After its door listens, the API is made without a request: those who come back at once after a start are served before. */
export const httpReadyAfterMs = 1_000;
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
/** Bytes of the random value that a browser shows after a login: nobody guesses it. */
export const httpLoginBytes = 32;
/** A login with a browser ends after a day of work. */
export const httpLoginMs = 12 * 3_600_000;
/** One that nobody uses ends before: its browser may be somebody else's by then. */
export const httpLoginIdleMs = 3_600_000;
/** Logins at once, some megabytes; the one that was not used for the longest time makes room. */
export const httpLogins = 10_000;
/** Those of one user: a few browsers on a few machines. */
export const httpLoginsOfUser = 20;
/** Bytes of a login: a token of a large directory fits. */
export const maxLoginRequestBytes = 64 * KiB;
