/** Limits of what is remembered and shown of the broker itself, each with its unit in its name and the reason for its value. */

import { KiB, MiB } from './units.ts';

/** Fates that are remembered of one client or topic: enough to see what keeps happening. */
export const fatesPerName = 16;
/** Those of connections that never said who they are, all together. */
export const fatesOfNobody = 256;
/** All fates that are remembered. With 500 bytes each they stay below {@link recentFatesBytes}. */
export const recentFates = 20_000;
/** All of their texts, whatever names clients make up. */
export const recentFatesBytes = 16 * MiB;
/** Of a name or a text in a fate; longer ones are cut. */
export const fateTextCharacters = 512;
/** Fates in one answer, where nobody asks for another number, and at most. */
export const fatesShown = 100;
export const mostFatesShown = 1_000;
/** How often it is looked at which topics a slow subscriber loses messages of, where runs are long. */
export const lossesLookedAtEveryMs = 100;

/** A client that has not waited for so long because of a limit, and then waits again, is told of again. */
export const throttleRestMs = 10_000;
/** Clients and limits whose waits are remembered for that, some megabytes. */
export const throttleEpisodes = 10_000;

/** Traces at once: each costs something for every message. */
export const mostTraces = 4;
/** Steps that one trace shows in a second; nobody reads more. */
export const traceStepsPerSecond = 500;
/** How long a trace runs where nobody says how long, and at most: it is easily forgotten. */
export const traceSeconds = 30;
export const longestTraceSeconds = 3_600;
/** Bytes that wait for one who watches; what is beyond is left out. */
export const traceBytesWaiting = 256 * KiB;

/** Connections that are looked at in one go to read a metric: less than a millisecond. */
export const lookedAtOnce = 1_000;
/** Objects of each kind in the metrics per object, where nobody asks for another number, and at most: Prometheus keeps each. */
export const objectsMeasured = 1_000;
export const mostObjectsMeasured = 10_000;

/** What OpenTelemetry says where its variables name no other: between exports, and for one of them. */
export const exportIntervalMs = 60_000;
export const exportTimeoutMs = 10_000;
/** A day; the runtime's timers hold no more than 24 of them. */
export const longestExportIntervalMs = 86_400_000;
/** What it says of spans that wait to be sent: how long, how many, and how many go at once. */
export const spanDelayMs = 5_000;
export const queuedSpans = 2_048;
export const spansOfExport = 512;
/** A span takes about a kilobyte. */
export const mostQueuedSpans = 1_048_576;
/** Between two tries of one export: the first wait, which each one more doubles. */
export const exportRetryMs = 1_000;
/** Of the answer of a collector, which says what it did not take; of longer ones nothing is read. */
export const exportAnswerBytes = 64 * KiB;
/** The last export may delay the stop of a broker by so much. */
export const lastExportMs = 3_000;
