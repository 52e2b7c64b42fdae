import type { FoundAccess } from '../import/mosquitto-access.ts';

/** What the file of another broker says, in options of this one. */
export interface Migrated {
  /** By the name of the flag. */
  readonly options: ReadonlyMap<string, MigratedOption>;
  /** What is done in another way here, or not at all, with what to do instead. */
  readonly left: readonly Left[];
  /** What needs nothing here, and why. */
  readonly needless: readonly Left[];
  /** For a file of users beside it; undefined where none is needed. */
  readonly access: FoundAccess | undefined;
}

export interface MigratedOption {
  readonly texts: readonly string[];
  /** Where it comes from, for the comment above it. */
  readonly note: string;
}

export interface Left {
  readonly file: string;
  /** Undefined for what no line says. */
  readonly line: number | undefined;
  readonly problem: string;
}
