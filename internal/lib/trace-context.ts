/**
 * The context of a trace (https://www.w3.org/TR/trace-context/), which belongs to a message like its other properties: a user
 * property of MQTT 5, a header of a record of Kafka, a header of HTTP, metadata of gRPC, always of the same names.
 */
export const TRACE_HEADERS = ['traceparent', 'tracestate'] as const;

const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[\x21-\x7e]*)?$/;
/** Section 3.3.1.5: whoever passes it on need not take more. */
const TRACESTATE = /^[\x20-\x7e]{1,512}$/;

/** The context that headers of a request carry; nothing where it is none, because whoever sent it has no trace then. */
export function traceContextOf(
  header: (name: string) => string | undefined,
): readonly (readonly [name: string, value: string])[] {
  const traceparent = header('traceparent');
  if (traceparent === undefined || traceparent.length > 512 || !TRACEPARENT.test(traceparent)) return NONE;
  const tracestate = header('tracestate');
  const parent = ['traceparent', traceparent] as const;
  return tracestate !== undefined && TRACESTATE.test(tracestate)
    ? [parent, ['tracestate', tracestate]]
    : [parent];
}

/** A `traceparent`, taken apart. */
export interface TraceParent {
  /** 32 digits, hexadecimal. */
  readonly traceId: string;
  /** 16 digits, hexadecimal: the span that the message was sent in. */
  readonly parentId: string;
  readonly flags: number;
  /** Whether whoever sent it records its part of the trace. */
  readonly isSampled: boolean;
}

/** Takes a `traceparent` apart that {@link traceContextOf} has found. */
export function parseTraceparent(traceparent: string): TraceParent {
  const [, traceId = '', parentId = '', digits = ''] = traceparent.split('-');
  const flags = Number.parseInt(digits, 16);
  return { traceId, parentId, flags, isSampled: (flags & SAMPLED) !== 0 };
}

const SAMPLED = 1;
const NONE: readonly never[] = [];
