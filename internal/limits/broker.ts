/** Limits and defaults of the broker: clients, channels, subscriptions, sessions, retained messages, each with its unit in its name and the reason for its value. */

import { GiB, KiB, MiB } from './units.ts';

/** Largest payload by default: far above telemetry, far below what would hurt a small machine. */
export const maxMessageBytes = 16 * MiB;
/** What `-max-message` may be raised to: one buffer of the runtime holds it together with its frame. */
export const maxMessageBytesCeiling = 1 * GiB;
/** Clients at once by default: at some 10 KiB each they fit a machine with 2 GiB. */
export const maxClients = 100_000;
/**
 * Messages that wait for one subscriber before its publishers pause. What they cost is their bytes, which have a bound of
 * their own: this one is there for bursts of the smallest messages.
 */
export const channelSize = 100_000;
/** Bytes that wait for one subscriber before its publishers pause: what a busy topic brings while a browser is at work. */
export const channelBytes = 8 * MiB;
/** Bytes that wait for all subscribers together: 64 stuck ones may have all that one may have, 1,000 share the rest. */
export const channelTotalBytes = 512 * MiB;
/** Bytes that a socket gets at once: one that takes so much in the time that publishers wait is slow, and not stuck. */
export const handOverBytes = 256 * KiB;
/** The same for a socket that takes much without a rest: a call of the system then costs little beside the bytes. */
export const mostHandOverBytes = 2 * MiB;
/** How long publishers wait for a full channel. Longer than a hiccup of a network, short for people. */
export const slowConsumerWaitMs = 1_000;
/** Filters of one client: when it goes, all of them end in one turn, which takes a second for so many. */
export const maxSubscriptionsPerClient = 100_000;
/** Levels of a filter with wildcards: each is a node of the trie, and no naming scheme comes near this many. */
export const maxFilterLevels = 1_024;
/**
 * How long messages whose topics match very many filters, or which go to very many, are taken in one turn: others then
 * notice nothing, and giving way costs little of it.
 */
export const longestTurnMs = 10;
/** Topics whose targets are remembered; beyond this the table starts anew, so that topics cost no memory for ever. */
export const topicTableEntries = 65_536;
/** Over how long the rate of a topic is taken at least: a second would jump, a minute would lag behind. */
export const topicRateWindowS = 5;
/** Bytes of names in the topic table, for the same reason: topics may be 64 KiB long. */
export const topicTableBytes = 16 * MiB;
/** Slices up to this size are copied together for one write; longer ones are handed on as they lie. */
export const copiedSliceBytes = 4 * KiB;
/**
 * Bytes of a lent chunk for each channel that has some of it, below which they are gathered until the end of the turn: writing so
 * many costs more than what the system does once for each write.
 */
export const leastSharePerBorrowerBytes = 16 * KiB;
/** The first room for such copies, which quiet subscribers never outgrow. */
export const smallestSlabBytes = 1 * KiB;
/** The largest room for such copies: one write of this size costs no more per byte than a larger one. */
export const largestSlabBytes = 64 * KiB;
// The MQTT door, its sessions and retained messages.
/** Topics with a retained message: a million devices with one each, and room. */
export const maxRetainedMessages = 4_000_000;
/** What all retained messages may take: names, payloads and properties. */
export const maxRetainedBytes = 1 * GiB;
/** Sessions that outlast their connections: as many as clients by default, because each was one. */
export const maxSessions = 100_000;
/** How often it is logged that sessions were ended to make room: enough to see it, whatever comes. */
export const evictionsToldEveryMs = 1_000;
/** Messages that wait in one session by default, while its client is away or takes no more. */
export const sessionQueueMessages = 100_000;
/** Bytes of such messages by default. */
export const sessionQueueBytes = 64 * MiB;
/**
 * How much of the heap that the runtime allows may be taken by what waits in all sessions together: a broker that ran out of
 * it would end, and again at each start.
 */
export const sessionsShareOfHeap = 0.5;
/** Bytes that wait in a channel before a session keeps its next messages to itself. */
export const sessionSendAheadBytes = 256 * KiB;
/**
 * Bytes of messages that one session has sent and that are not acknowledged, before more is sent: enough for a fast client far
 * away. A client may say that it takes 65,535 messages at once, and acknowledge none.
 */
export const sessionInflightBytes = 4 * MiB;
/** The same for messages that can be read again, of replays: nothing is lost by reading them a little later. */
export const sessionReadAheadBytes = 1 * MiB;
/** Topics for which a session remembers which of its subscriptions match. */
export const sessionTopicsRemembered = 1_000;
/** How long after its start a broker waits with wills that are due already: clients try again every second as a rule. */
export const willsAfterStartMs = 1_500;
/** A queue is looked through for expired messages so often: they take room until then, and a look takes time. */
export const expiredMessagesEveryMs = 1_000;
/** How long the numbers of a client that sends exactly once are remembered after its last message: longer than a machine is off. */
export const numberingExpiryMs = 7 * 24 * 60 * 60 * 1_000;
/** Clients whose numbers are remembered: each takes some hundred bytes. */
export const maxNumberings = 100_000;
