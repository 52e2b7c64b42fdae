/** The newest of many, at most so many, newest first; and how many there were. */
export interface Newest<T> {
  items: readonly T[];
  total: number;
}

export const NO_ITEMS: Newest<never> = { items: [], total: 0 };

/** Puts what came since, oldest first, in front. */
export function withNewest<T>(before: Newest<T>, arrived: readonly T[], most: number): Newest<T> {
  const newer = arrived.slice(-most).reverse();
  const older = before.items.slice(0, most - newer.length);
  return { items: [...newer, ...older], total: before.total + arrived.length };
}
