import type { ErrorCode, RefusedThing } from '../errors.ts';
import type { LabelsOf, NameOf } from './metric-table.ts';

export type Level = 'debug' | 'info' | 'warn' | 'error';

/** What can become of a message or a connection that did not go its way: where it is counted, and how loud its line is. */
export const OUTCOMES = {
  /** The broker ended a connection. */
  disconnected: { counter: 'disconnects_total', level: 'info' },
  /** A connection broke off. */
  lost: { counter: 'connections_lost_total', level: 'debug' },
  /** A connection failed before it was open. */
  unopened: { counter: 'connection_problems_total', level: 'warn' },
  /** A client asked for something and did not get it; its connection stays. */
  refused: { counter: 'refusals_total', level: 'info' },
  /** A subscriber did not get a message. */
  dropped: { counter: 'messages_dropped_total', level: 'warn' },
  /** A message was not sent in the time that its publisher gave it. */
  expired: { counter: 'messages_expired_total', level: 'debug' },
  /** A log did not get a message. */
  unkept: { counter: 'log_messages_lost_total', level: 'error' },
  /** A session whose client was away ended before that came back. */
  ended: { counter: 'sessions_ended_total', level: 'debug' },
  /** A client has to wait because of a limit. */
  throttled: { counter: 'throttled_total', level: 'info' },
} as const satisfies Record<string, { counter: FateCounter; level: Level }>;

/** The counters that have a code. */
type FateCounter = {
  [N in NameOf<'counter'>]: LabelsOf<N> extends Readonly<Record<'code', string>> ? N : never;
}[NameOf<'counter'>];

export type Outcome = keyof typeof OUTCOMES;

/** Who something happened to; an identity is one. */
export interface Affected {
  readonly clientId?: string | undefined;
  readonly user?: string | undefined;
  readonly remote?: string | undefined;
  readonly door?: string | undefined;
}

/** What happened to whom, and why. */
export interface Fate {
  outcome: Outcome;
  code: ErrorCode;
  /** How many messages. Default: 1. */
  count?: number;
  /** Whom it happened to, in the fields of the log: `client`, `remote`, `listener`. */
  who?: object;
  /** Whom it happened to, for {@link RecentFates}. */
  affected?: Affected | undefined;
  /** What it was about, for {@link RecentFates} too. */
  about?: RefusedThing | undefined;
  /** What was wrong with it in particular. */
  reason?: string | undefined;
  /** More fields of the line. */
  details?: object | undefined;
  /** The line in the log; undefined where one like it stands there already. */
  line?: string | undefined;
  /** Where its line is not as loud as the others of this outcome. */
  level?: Level;
}
