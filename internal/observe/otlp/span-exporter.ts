import { randomBytes } from 'node:crypto';
import type { Clock, ClockTimer } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { TraceParent } from '../../lib/trace-context.ts';
import { lastExportMs } from '../../limits/observe.ts';
import { ExportTraceRequest } from '../../protocol/otlp/otlp.ts';
import type { Counter, Metrics } from '../metrics.ts';
import type { Span, SpanSink } from '../spans.ts';
import { attributesOf, nanoseconds } from './metrics-request.ts';
import { Reporter } from './reporter.ts';
import { send } from './send.ts';
import type { SpanSettings } from './settings.ts';

export interface SpanExporterParts {
  readonly settings: SpanSettings;
  readonly attributes: Readonly<Record<string, string>>;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Sends spans to a collector, many at once. They wait in a queue; whatever comes while that is full is dropped and counted, as is
 * what could not be sent, so that no message ever waits for a collector.
 */
export class SpanExporter implements SpanSink {
  readonly #parts: SpanExporterParts;
  readonly #timer: ClockTimer;
  readonly #stop = new AbortController();
  readonly #reporter: Reporter;
  readonly #exported: Counter;
  readonly #dropped: Counter;
  #queue: Span[] = [];
  #current: Promise<void> | undefined;

  constructor(parts: SpanExporterParts) {
    const { settings, metrics, clock, logger } = parts;
    this.#parts = parts;
    this.#reporter = new Reporter('spans', settings.url, logger);
    this.#exported = metrics.counter('spans_exported_total');
    this.#dropped = metrics.counter('spans_dropped_total');
    this.#timer = clock.every(settings.delayMs, () => this.#begin());
  }

  wants({ traceId, isSampled }: TraceParent): boolean {
    return this.#parts.settings.sampler(traceId, isSampled);
  }

  take(span: Span): void {
    const { queue, batch } = this.#parts.settings;
    if (this.#queue.length >= queue) {
      this.#dropped.value++;
      return;
    }
    this.#queue.push(span);
    if (this.#queue.length >= batch) this.#begin();
  }

  /** Sends what waits, for the last time; that may take {@link lastExportMs} in all. */
  async close(): Promise<void> {
    this.#timer.cancel();
    const deadline = setTimeout(() => this.#stop.abort(), lastExportMs);
    await this.#current;
    while (this.#queue.length > 0 && !this.#stop.signal.aborted) await this.#exportNext();
    clearTimeout(deadline);
    this.#dropped.value += this.#queue.length;
    this.#queue = [];
  }

  /** One export at a time. */
  #begin(): void {
    if (this.#queue.length === 0) return;
    this.#current ??= this.#exportAll().finally(() => {
      this.#current = undefined;
    });
  }

  /** Batches that are full do not wait for the next time. */
  async #exportAll(): Promise<void> {
    do await this.#exportNext();
    while (this.#queue.length >= this.#parts.settings.batch && !this.#stop.signal.aborted);
  }

  async #exportNext(): Promise<void> {
    const { settings, attributes } = this.#parts;
    const spans = this.#queue.splice(0, settings.batch);
    const request = {
      resourceSpans: [
        {
          resource: { attributes: attributesOf(attributes) },
          scopeSpans: [{ scope: { name: 'tinymq' }, spans: spans.map(spanOf) }],
        },
      ],
    };
    const timeout = AbortSignal.timeout(settings.timeoutMs);
    try {
      const signal = AbortSignal.any([timeout, this.#stop.signal]);
      const rejected = await send(settings, ExportTraceRequest, request, signal);
      this.#dropped.value += rejected?.count ?? 0;
      this.#exported.value += spans.length - (rejected?.count ?? 0);
      this.#reporter.worked(rejected);
    } catch (error) {
      this.#dropped.value += spans.length;
      this.#reporter.failed(error, timeout.aborted || this.#stop.signal.aborted);
    }
  }
}

const SPAN_ID_BYTES = 8;
/** `SPAN_KIND_INTERNAL`, `SPAN_KIND_SERVER`. */
const INTERNAL = 1;
const SERVER = 2;
/** `STATUS_CODE_ERROR`. */
const ERROR = 2;
/** That the parent is known to be elsewhere, or not: both bits of `SpanFlags` for a remote parent. */
const REMOTE_PARENT = 0x300;

function spanOf({ parent, traceState, name, isAsked, startMs, endMs, attributes, problem }: Span) {
  const told = { ...attributes, ...(problem !== undefined && { 'error.type': problem }) };
  return {
    traceId: Buffer.from(parent.traceId, 'hex'),
    spanId: randomBytes(SPAN_ID_BYTES),
    traceState,
    parentSpanId: Buffer.from(parent.parentId, 'hex'),
    flags: parent.flags | REMOTE_PARENT,
    name,
    kind: isAsked ? SERVER : INTERNAL,
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(endMs),
    attributes: attributesOf(told),
    ...(problem !== undefined && { status: { code: ERROR, message: problem } }),
  };
}
