/** Limits and defaults of what doors share, each with its unit in its name and the reason for its value. */

import { KiB } from './units.ts';

/** Connections beyond `maxClients` that may still be on their way to CONNECT, so that they can be told why not. */
export const maxUnconnectedConnections = 1_000;
/** A client that is there sends CONNECT at once; a slow mobile network with TLS needs some seconds. */
export const connectTimeoutMs = 10_000;
/** Off: the clients of the original sent PING only when asked to. TCP's own probes still find dead peers. */
export const keepAliveMs = 0;
/** How often deadlines are looked at; they end up to this much late. */
export const deadlineSweepMs = 500;
/** Refusals that are logged of one client in a second: enough to see what is wrong, whatever it sends. */
export const refusalsLoggedPerSecond = 10;
/** Answers (PONG, SUBACK…) that wait for a client which sends but does not read, before it is not read either. */
export const maxWaitingControlBytes = 64 * KiB;
/**
 * Frames other than PUBLISH that one client may send before the others are served again. The runtime reads one
 * socket many times in a row while it has bytes.
 */
export const controlFramesPerTurn = 256;
/**
 * Bytes of one chunk that are taken in one turn, for the same reason. A read from a socket has at most 64 KiB; only
 * a WebSocket message is as long as the largest payload.
 */
export const bytesPerTurn = 256 * KiB;
/** A publisher that sent nothing for this long during a stop has nothing more on its way. */
export const shutdownQuietMs = 100;
/** Replays of one client: each follows every log that its filter may match. */
export const maxReplaysPerClient = 100;
/** Retained messages that are given to a new subscription at once; the others follow as they are taken. */
export const retainedPerStep = 256;
/** How often the topics under $SYS are published, as mosquitto does. */
export const sysTopicsEveryMs = 10_000;

/** The smallest message of any door, an MQTT PUBLISH of a topic of one character: so many bytes hold no more than one. */
export const leastMessageBytes = 5;
/** Counted frames of one client that wait to become safe before it is read no further: what several transactions of a disk hold. */
export const frameUnansweredMessages = 16_384;
/** Messages that a client of the frames which acknowledges takes before it does, where it does not say how many. */
export const frameWindow = 1_024;
