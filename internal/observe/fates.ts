import type { ErrorCode } from '../errors.ts';
import type { LabelsOf, NameOf } from './metric-table.ts';
import type { Counter, Metrics } from './metrics.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

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
} as const satisfies Record<string, { counter: FateCounter; level: Level }>;

/** The counters that have a code and nothing else. */
type FateCounter = {
  [N in NameOf<'counter'>]: LabelsOf<N> extends Readonly<Record<'code', string>> ? N : never;
}[NameOf<'counter'>];

export type Outcome = keyof typeof OUTCOMES;

/** What happened to whom, and why. */
export interface Fate {
  outcome: Outcome;
  code: ErrorCode;
  /** How many messages. Default: 1. */
  count?: number;
  /** Whom it happened to, in the fields of the log: `client`, `remote`, `listener`. */
  who?: object;
  /** What was wrong with it in particular. */
  reason?: string | undefined;
  /** More fields of the line. */
  details?: object | undefined;
  /** The line in the log; undefined where one like it stands there already. */
  line?: string | undefined;
  /** Where its line is not as loud as the others of this outcome. */
  level?: Level;
}

/** Called with each fate that is told. It must not throw, and must not change what it is given. */
export type FateListener = (fate: Fate) => void;

/** Where fates are written down. */
export type FateLog = Record<Level, (fields: object, message: string) => void>;

/**
 * The one place that is told what became of a message or a connection that was refused, dropped, expired, disconnected or
 * lost. It counts by code and writes the line in the log; `stats()` and `$SYS` read its counters, and nobody else
 * counts the same. A broker has one; a room that writes to a log of its own takes {@link logging}.
 */
export class Fates {
  readonly #metrics: Metrics;
  readonly #log: FateLog;
  readonly #listeners: Set<FateListener>;

  constructor(metrics: Metrics, log: FateLog, listeners = new Set<FateListener>()) {
    this.#metrics = metrics;
    this.#log = log;
    this.#listeners = listeners;
    // Whoever draws a curve of it wants to see it begin at 0.
    for (const { counter } of Object.values(OUTCOMES)) metrics.counts(counter);
  }

  /** The same place, with the lines of its fates in another log. */
  logging(log: FateLog): Fates {
    return new Fates(this.#metrics, log, this.#listeners);
  }

  /**
   * Calls back with each fate that is told, of every room; what happens so often that it is only counted is not told. A
   * listener keeps what it wants and returns soon. Returns what ends that.
   */
  onFate(listener: FateListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Counts a fate, tells who listens, and logs it if it has a line. */
  tell(fate: Fate): void {
    const { outcome, code, count = 1, who, reason, details, line, level } = fate;
    this.counter(outcome, code).value += count;
    for (const listener of this.#listeners) listener(fate);
    if (line === undefined) return;
    const fields = { ...who, code, ...(reason === undefined ? undefined : { reason }), ...details };
    this.#log[level ?? OUTCOMES[outcome].level](fields, line);
  }

  /** For what happens so often that it is told by an addition; its line is written by who knows when one is enough. */
  counter(outcome: Outcome, code: ErrorCode): Counter {
    return this.#metrics.counter(OUTCOMES[outcome].counter, { code });
  }

  /** How often something happened so far, whatever the code. */
  sum(outcome: Outcome): number {
    return this.#metrics.sum(OUTCOMES[outcome].counter);
  }
}
