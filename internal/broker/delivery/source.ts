import type { Patience } from './patience.ts';

/** Somebody who can be asked to stop feeding a channel for a while: the connection of a publisher. */
export interface Source {
  /** Stop reading. Counted: as many calls of {@link resume} make it go on. */
  pause(): void;
  resume(): void;
  /** How long it waits for subscribers that take nothing; without this, as long for each as for the first. */
  readonly patience?: Patience;
}
