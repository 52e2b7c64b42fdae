import type { Overview } from './status.ts';

/** What plugins of Nagios end with. */
export const STATES = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const;
export type State = keyof typeof STATES;

/** What a check found out. */
export interface Finding {
  readonly state: State;
  /** One line, which says what is wrong where something is. */
  readonly said: string;
  /** Undefined where the broker said nothing. */
  readonly overview: Overview | undefined;
}
