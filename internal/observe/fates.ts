import type { ErrorCode } from '../errors.ts';
import { type Fate, type Level, OUTCOMES, type Outcome } from './fate.ts';
import type { Counter, Metrics } from './metrics.ts';
import { RecentFates, type RememberedFate } from './recent-fates.ts';

export type { Affected, Fate, Outcome } from './fate.ts';

/** Called with each fate that is told. It must not throw, and must not change what it is given. */
export type FateListener = (fate: Fate) => void;

/**
 * What happens to one client again and again, such as the loss of a message each turn: said once with what is always the same,
 * then counted, so that even a fast stream of losses is remembered without an object for each.
 */
export interface RepeatedFate {
  add(count: number, bytes?: number): void;
}

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
  /** The last ones. */
  readonly recent: RecentFates;

  constructor(
    metrics: Metrics,
    log: FateLog,
    recent = new RecentFates(),
    listeners = new Set<FateListener>(),
  ) {
    this.#metrics = metrics;
    this.#log = log;
    this.recent = recent;
    this.#listeners = listeners;
    // Whoever draws a curve of it wants to see it begin at 0.
    for (const { counter } of Object.values(OUTCOMES)) metrics.counts(counter);
  }

  /** The same place, with the lines of its fates in another log. */
  logging(log: FateLog): Fates {
    return new Fates(this.#metrics, log, this.recent, this.#listeners);
  }

  /**
   * Calls back with each fate that is told, of every room; what happens so often that it is only counted is not told. A
   * listener keeps what it wants and returns soon. Returns what ends that.
   */
  onFate(listener: FateListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Counts a fate, tells who listens, and logs it if it has a line. Returns what stands for it among the last ones. */
  tell(fate: Fate): RememberedFate {
    const { outcome, code, count = 1, who, reason, details, line, level } = fate;
    this.counter(outcome, code, fate.affected?.door).value += count;
    const remembered = this.recent.note(fate);
    for (const listener of this.#listeners) listener(fate);
    if (line === undefined) return remembered;
    const fields = { ...who, code, ...(reason === undefined ? undefined : { reason }), ...details };
    this.#log[level ?? OUTCOMES[outcome].level](fields, line);
    return remembered;
  }

  /** Says once what will happen again and again; what is added to it is counted and remembered, and not logged. */
  repeated(fate: Omit<Fate, 'line' | 'count'>): RepeatedFate {
    const counter = this.counter(fate.outcome, fate.code, fate.affected?.door);
    let remembered: RememberedFate | undefined;
    return {
      add: (count, bytes = 0) => {
        counter.value += count;
        const isRemembered = remembered !== undefined && this.recent.again(remembered, count, bytes);
        if (isRemembered && this.#listeners.size === 0) return;
        const told = { ...fate, count, about: { ...fate.about, bytes } };
        if (!isRemembered) remembered = this.recent.note(told);
        for (const listener of this.#listeners) listener(told);
      },
    };
  }

  /** For what happens so often that it is told by an addition; its line is written by who knows when one is enough. */
  counter(outcome: Outcome, code: ErrorCode, door = ''): Counter {
    const { counter } = OUTCOMES[outcome];
    return counter === 'throttled_total'
      ? this.#metrics.counter(counter, { door, code })
      : this.#metrics.counter(counter, { code });
  }

  /** How often something happened so far, whatever the code. */
  sum(outcome: Outcome): number {
    return this.#metrics.sum(OUTCOMES[outcome].counter);
  }
}
