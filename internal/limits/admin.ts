/** Limits of the operations on a broker, each with its unit in its name and the reason for its value. */

import { MiB } from './units.ts';

/** Entries of a page of a list, where nobody says how many: some screens. */
export const listItems = 100;
/** The most that somebody may ask for: a page is made at once. */
export const maxListItems = 1_000;
/** Of a text that names are searched for: longer ones were pasted by mistake. */
export const maxSearchCharacters = 1_024;
/** How long a list may be looked through before messages have their turn. */
export const sliceMs = 5;
/** Bytes of one request, but for an import: nobody writes more by hand. */
export const maxRequestBytes = MiB;
/** Filters of one client that are shown; it may have very many. */
export const shownFilters = 1_000;
