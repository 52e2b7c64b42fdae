import type { RecordHeader } from '../../batch/record-cursor.ts';
import { spansOfBatch } from '../../limits/kafka.ts';
import type { OpenSpan, SpanFacts, Spans } from '../../observe/spans.ts';

/** The traces that records of a batch belong to: a span for each, from the moment in which the batch came. */
export class TracedBatch {
  readonly #spans: Spans;
  readonly #startedMs: number;
  /** By their context, as records of one trace are shown again and again. */
  readonly #traces = new Map<string, readonly RecordHeader[]>();

  constructor(spans: Spans) {
    this.#spans = spans;
    this.#startedMs = spans.nowMs;
  }

  /** Looks at the headers of a record; the same may come again. */
  readonly look = (headers: readonly RecordHeader[]): void => {
    const traceparent = textOf(headers, 'traceparent');
    if (traceparent === undefined || this.#traces.has(traceparent)) return;
    if (this.#traces.size < spansOfBatch) this.#traces.set(traceparent, headers);
  };

  /** @param problem the code of what went wrong. */
  end(facts: SpanFacts, problem: string | undefined): void {
    for (const headers of this.#traces.values()) {
      const span: OpenSpan | undefined = this.#spans.begin(
        (name) => textOf(headers, name),
        facts,
        this.#startedMs,
      );
      span?.end(problem);
    }
  }
}

function textOf(headers: readonly RecordHeader[], name: string): string | undefined {
  const value = headers.find(({ key }) => key === name)?.value;
  return value ? Buffer.from(value).toString('latin1') : undefined;
}
