/** Is told of values that it counts by their size, as a histogram does. */
export interface Measure {
  observe(value: number): void;
}

/** Who is told how long it takes a store to make changes last, in seconds. Nothing is measured that nobody is told of. */
export interface WriteTimes {
  /** From when a group of changes is begun until all of it lasts. */
  readonly groups?: Measure;
  /** The part of that in which the disk was asked to keep what it has: none where nobody waits for it. */
  readonly syncs?: Measure;
}
