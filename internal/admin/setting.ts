/** One thing that a broker was told when it was started. */
export interface Setting {
  /** As a file of options names it: `kafka.partitions`. */
  readonly name: string;
  /** The flag without its dash: `kafka-partitions`. */
  readonly flag: string;
  /** As it was written; null where nothing was said and nothing is the default. Secrets in addresses are hidden. */
  readonly value: string | readonly string[] | null;
  readonly from: 'flag' | 'environment' | 'file' | 'default';
  /** The flag, the variable, or file, line and column; empty for a default. */
  readonly at: string;
  /** Whether it changes without a new start, when the broker reads its file again. */
  readonly isLive: boolean;
}
