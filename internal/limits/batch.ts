/** Limits and defaults of record batches, each with its unit in its name and the reason for its value. */

import { MiB } from './units.ts';

/** What a compressed batch may expand to. */
export const maxExpandedBatchBytes = 256 * MiB;
