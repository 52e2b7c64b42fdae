import { BrokerError, nameForLog } from '../errors.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { mostTraces, traceStepsPerSecond } from '../limits/observe.ts';
import { matchesFilter } from '../topic.ts';
import type { Fate, Outcome } from './fate.ts';

/** What a message meets on its way. What becomes of one that does not go its way is an {@link Outcome}. */
export type TraceStep =
  /** A client published it, or a log brought it to live subscribers. */
  | 'published'
  /** Nobody subscribed to it, and no log keeps it. */
  | 'unmatched'
  /** A subscriber gets it: by these filters, in this session. */
  | 'matched'
  /** A group gets it, and this member of it. */
  | 'shared'
  /** It waits in a session. */
  | 'waits'
  /** It was sent to a client that acknowledges it. */
  | 'sent'
  | 'acknowledged'
  /** A log has it. */
  | 'kept'
  /** So many steps were left out, because there were more than a trace shows. */
  | 'left-out'
  | Outcome;

export interface TracedStep {
  readonly step: TraceStep;
  readonly topic?: string | undefined;
  /** Whom the step is about: publisher, subscriber, member of a group. */
  readonly client?: string | undefined;
  /** Who published it, where that is somebody else. */
  readonly publisher?: string | undefined;
  readonly user?: string | undefined;
  readonly door?: string | undefined;
  readonly remote?: string | undefined;
  readonly filters?: readonly string[] | undefined;
  readonly qos?: number | undefined;
  readonly retain?: boolean | undefined;
  readonly bytes?: number | undefined;
  readonly count?: number | undefined;
  /** What waits for that client. */
  readonly waiting?: number | undefined;
  readonly log?: string | undefined;
  readonly partition?: number | undefined;
  readonly offset?: number | undefined;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly rule?: string | undefined;
  /** The context of the trace across programs that a published message belongs to. */
  readonly traceparent?: string | undefined;
}

/** Which messages are looked at: those of a topic or client, or both where both are said. */
export interface TraceQuestion {
  /** For topics. */
  readonly filter?: string | undefined;
  readonly client?: string | undefined;
  /** One of both. */
  readonly name?: string | undefined;
}

/** Somebody who watches messages on their way. Returns false where no more is taken for now. */
export type TraceWatcher = (step: TracedStep, atMs: number) => boolean;

/** Who looks at messages on their way. While nobody does, {@link isOn} is all that a message costs. */
export class Tracing {
  /** Asked before anything is put together. */
  isOn = false;
  readonly #clock: Clock;
  readonly #traces = new Map<Trace, () => void>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /**
   * Tells a watcher of each step from now on, until what is returned is called.
   *
   * @param ended is called where the broker ends it.
   * @throws BrokerError `too-many-traces`.
   */
  start(question: TraceQuestion, watcher: TraceWatcher, ended: () => void = () => {}): () => void {
    if (this.#traces.size >= mostTraces)
      throw new BrokerError('too-many-traces', `${this.#traces.size} are running`);
    const trace = new Trace(question, watcher, this.#clock);
    this.#traces.set(trace, ended);
    this.isOn = true;
    return () => {
      this.#traces.delete(trace);
      this.isOn = this.#traces.size > 0;
    };
  }

  get count(): number {
    return this.#traces.size;
  }

  /** Whether any of them takes more in this second: what nobody is told need not be found out. */
  get hasRoom(): boolean {
    for (const trace of this.#traces.keys()) if (trace.hasRoom()) return true;
    return false;
  }

  /** The broker stops: ends all of them. */
  close(): void {
    for (const ended of [...this.#traces.values()]) ended();
  }

  tell(step: TracedStep): void {
    for (const trace of this.#traces.keys()) trace.take(step);
  }

  /** What becomes of messages is a step too. */
  readonly tellFate = (fate: Fate): void => {
    if (!this.isOn) return;
    const { outcome, code, count, reason, affected = {}, about = {} } = fate;
    const { clientId: client, user, door, remote } = affected;
    const { topic, bytes, rule } = about;
    this.tell({
      step: outcome,
      topic,
      client,
      user,
      door,
      remote,
      bytes,
      count,
      code,
      message: reason,
      rule,
    });
  };
}

class Trace {
  readonly #question: TraceQuestion;
  readonly #watcher: TraceWatcher;
  readonly #clock: Clock;
  #secondBeganAtMs = Number.NEGATIVE_INFINITY;
  #inSecond = 0;
  #leftOut = 0;

  constructor(question: TraceQuestion, watcher: TraceWatcher, clock: Clock) {
    this.#question = question;
    this.#watcher = watcher;
    this.#clock = clock;
  }

  hasRoom(): boolean {
    const nowMs = this.#clock.elapsedMs();
    if (nowMs - this.#secondBeganAtMs >= 1_000) {
      this.#secondBeganAtMs = nowMs;
      this.#inSecond = 0;
    }
    return this.#inSecond < traceStepsPerSecond;
  }

  take(step: TracedStep): void {
    if (!isAsked(this.#question, step)) return;
    const atMs = this.#clock.now();
    if (!this.hasRoom()) {
      this.#leftOut++;
      return;
    }
    this.#inSecond++;
    if (this.#leftOut > 0 && this.#watcher({ step: 'left-out', count: this.#leftOut }, atMs))
      this.#leftOut = 0;
    if (!this.#watcher(shortened(step), atMs)) this.#leftOut++;
  }
}

function isAsked({ filter, client, name }: TraceQuestion, step: TracedStep): boolean {
  if (filter !== undefined && !isOnTopic(filter, step)) return false;
  if (client !== undefined && !isOfClient(client, step)) return false;
  return name === undefined || isOfClient(name, step) || isOnTopic(name, step);
}

function isOnTopic(filter: string, { topic }: TracedStep): boolean {
  return topic !== undefined && (topic === filter || matchesFilter(filter, topic));
}

function isOfClient(name: string, { client, publisher }: TracedStep): boolean {
  return client === name || publisher === name;
}

/** Names as they may be shown. */
function shortened(step: TracedStep): TracedStep {
  const fields = Object.entries(step).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    fields.map(([name, value]) => [name, typeof value === 'string' ? nameForLog(value, 512) : value]),
  ) as unknown as TracedStep;
}
