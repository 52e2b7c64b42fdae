/** Limits of the operations on a broker, each with its unit in its name and the reason for its value. */

import { MiB } from './units.ts';

/** Entries of a page of a list, where nobody says how many: some screens. */
export const listItems = 100;
/** The most that somebody may ask for: a page is made at once. */
export const maxListItems = 1_000;
/** Bytes of messages on one page, where it has their payloads: some milliseconds of JSON. */
export const pageBytes = 4 * MiB;
/**
 * Bytes of one request with messages. Text of JavaScript ends at 512 MiB, and so does a message in JSON, of which base64 makes a third
 * more: messages of up to 380 MiB can be imported. Who asks may administer the broker.
 */
export const maxImportBytes = 511 * MiB;
/** Messages of one import: about as many as a page has. */
export const maxImportedMessages = 1_000;
/** Of a text that names are searched for: longer ones were pasted by mistake. */
export const maxSearchCharacters = 1_024;
/** How long a list may be looked through before messages have their turn. */
export const sliceMs = 5;
/** Bytes of one request, but for an import: nobody writes more by hand. */
export const maxRequestBytes = MiB;
/** Filters of one client that are shown; it may have very many. */
export const shownFilters = 1_000;
/** Partitions of one log that are shown, for the same reason. */
export const shownPartitions = 1_000;
/** What a change of users or rules would end that is shown: somebody who reads so far knows enough. */
export const shownLosses = 100;
/** How often the broker looks at itself for the curves of the last hour: a person sees no more on a screen. */
export const historyStepMs = 10_000;
/** Samples of an hour. */
export const historySamples = 360;
/** The folder of the store is looked through for each so many of them: that of a Kafka has thousands of files. */
export const storeBytesEverySamples = 6;
/** What became of one client's messages lately, where it is shown with all the rest of it. */
export const fatesOfClient = 20;
/** Bytes of a last value in the tree of topics: what fits into a line. */
export const shownValueBytes = 120;
