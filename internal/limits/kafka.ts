/** Limits and defaults of the Kafka door, each with its unit in its name and the reason for its value. */

import { KiB, MiB } from './units.ts';

/** Bytes of a Kafka request: as Kafka's `socket.request.max.bytes`. */
export const kafkaMaxRequestBytes = 100 * MiB;
/** Requests of one Kafka connection that are under way at once: enough for the disk to take one batch in each. */
export const kafkaRequestsInFlight = 512;
/** Bytes of such requests; a connection that sends larger ones waits for its answers sooner. */
export const kafkaRequestBytesInFlight = 16 * MiB;
/** A batch that is this short, and expands to no more, is checked at once: that takes a millisecond or two at most. */
export const atOnceBytes = 64 * KiB;
/** Batches that expand to more than this are checked one after the other, so that their memory does not add up. */
export const aloneFromBytes = 4 * MiB;
/**
 * Names, partitions and other list elements of one request: some 50 ms to read, as long to look up, as long to answer, each
 * in a turn of its own. The clients of a broker with as many partitions as this one may have name far fewer at once.
 */
export const kafkaRequestElements = 50_000;
/** How long a Kafka connection may be quiet: as Kafka's `connections.max.idle.ms`. */
export const kafkaIdleTimeoutMs = 600_000;
/** Partitions of one durable topic: Kafka's own controllers are slow beyond that, and a request may ask for 2^31. */
export const maxPartitionsPerTopic = 10_000;
/** Bytes of a Fetch answer, whatever is asked for: as Kafka's `fetch.max.bytes` on the broker. */
export const kafkaMaxFetchBytes = 55 * MiB;
/** Bytes of memory for Fetch answers that wait for the next one: of the answers that a dozen readers have under way. */
export const kafkaFetchMemoryBytes = 16 * MiB;
/** Fetch sessions that are remembered, as Kafka's `max.incremental.fetch.session.cache.slots`. */
export const maxFetchSessions = 1_000;
/** Partitions of all fetch sessions together: some 100 bytes each, and a request names as many as it likes. */
export const maxFetchSessionPartitions = 1_000_000;
/** How long a fetch session is quiet before another may take its place, as in Kafka. */
export const fetchSessionIdleMs = 120_000;
/** The number of the one broker that Kafka's clients see: as in the examples of Kafka's own documentation. */
export const kafkaNodeId = 1;
/** Bytes of a request and of a token of SASL before its client has logged in: as Kafka's `sasl.server.max.receive.size`. */
export const kafkaMaxBytesBeforeLogin = 512 * KiB;
/** How long the answer to a failed login waits, whatever failed: as Kafka's `connection.failed.authentication.delay.ms`. */
export const failedLoginDelayMs = 100;
/** A connection logs in again no more often than this, as in Kafka. */
export const reauthenticationEveryMs = 1_000;
/**
 * The longest that a client is told to wait because of a limit: as Kafka's quota window. What it owes then is not forgotten: it
 * waits again before it is served.
 */
export const kafkaMaxThrottleMs = 10_000;

/** Traces of one batch that spans are made of: more are of no use to whoever looks at one of them. */
export const spansOfBatch = 128;
