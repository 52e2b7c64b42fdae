import { setImmediate as nextTurn } from 'node:timers/promises';
import { sliceMs } from '../limits/admin.ts';

/** The clock is looked at after so many items. */
const ITEMS_BETWEEN_LOOKS = 64;

/** Looks at all items; others get their turn meanwhile. */
export async function eachInSlices<T>(items: Iterable<T>, look: (item: T) => void): Promise<void> {
  let endMs = performance.now() + sliceMs;
  let looked = 0;
  for (const item of items) {
    look(item);
    if (++looked % ITEMS_BETWEEN_LOOKS !== 0 || performance.now() < endMs) continue;
    await nextTurn();
    endMs = performance.now() + sliceMs;
  }
}
