import type { Clock } from '../lib/clock.ts';
import { parseTraceparent, type TraceParent, traceContextOf } from '../lib/trace-context.ts';

/** What a span tells of itself beside its times, in the names of OpenTelemetry's conventions. */
export type SpanAttributes = Readonly<Record<string, string | number | undefined>>;

/** Something that the broker did with a message that belongs to a trace. */
export interface Span {
  readonly parent: TraceParent;
  readonly traceState: string;
  /** `publish` and the topic, for example. */
  readonly name: string;
  /** Whether a client asked for it; where not, the broker did it as a part of that. */
  readonly isAsked: boolean;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: SpanAttributes;
  /** Why it failed: a code of errors.ts. */
  readonly problem: string | undefined;
}

/** Who takes spans. */
export interface SpanSink {
  /** Whether anybody will see a span of this trace: what nobody sees need not be put together. */
  wants(parent: TraceParent): boolean;
  take(span: Span): void;
}

/** What a span is of. */
export interface SpanFacts {
  /** What is done with the message: `publish`, `append`. */
  readonly operation: string;
  /** The live topic, or the log where it is appended to one. */
  readonly destination: string;
  readonly isAsked: boolean;
  readonly attributes?: SpanAttributes;
}

/** A span that has begun. */
export interface OpenSpan {
  /** @param problem the code of what went wrong. */
  end(problem?: string, more?: SpanAttributes): void;
}

/** Looks a property or a header of a message up. */
export type FindHeader = (name: string) => string | undefined;

/** Spans of messages that belong to a trace. While nobody takes them, {@link isOn} is all that a message costs. */
export class Spans {
  /** Asked before anything is looked at. */
  isOn = false;
  readonly #clock: Clock;
  #sink: SpanSink | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Gives all spans from now on to a sink, until what is returned is called. */
  to(sink: SpanSink): () => void {
    this.#sink = sink;
    this.isOn = true;
    return () => {
      this.isOn = false;
      this.#sink = undefined;
    };
  }

  /** When something begins that may become a span. */
  get nowMs(): number {
    return this.#clock.elapsedMs();
  }

  /**
   * Begins a span of a message, or one that began before; undefined where the message belongs to no trace, or nobody wants
   * that.
   */
  begin(header: FindHeader, facts: SpanFacts, startedMs = this.nowMs): OpenSpan | undefined {
    const [traceparent, tracestate] = traceContextOf(header);
    const parent = traceparent && parseTraceparent(traceparent[1]);
    if (parent === undefined || this.#sink?.wants(parent) !== true) return undefined;
    return {
      end: (problem, more) => this.#end(parent, tracestate?.[1] ?? '', facts, startedMs, problem, more),
    };
  }

  #end(
    parent: TraceParent,
    traceState: string,
    { operation, destination, isAsked, attributes }: SpanFacts,
    startedMs: number,
    problem: string | undefined,
    more: SpanAttributes | undefined,
  ): void {
    const elapsedMs = Math.max(0, this.nowMs - startedMs);
    const endMs = this.#clock.now();
    this.#sink?.take({
      ...{ parent, traceState, isAsked, problem, startMs: endMs - elapsedMs, endMs },
      name: `${operation} ${destination}`,
      attributes: {
        'messaging.system': 'tinymq',
        'messaging.operation.name': operation,
        'messaging.destination.name': destination,
        ...attributes,
        ...more,
      },
    });
  }
}

/** Looks headers up in a list of pairs. */
export function inPairs(pairs: readonly (readonly [name: string, value: string])[]): FindHeader {
  return (name) => pairs.find(([each]) => each === name)?.[1];
}
