import { readFileSync } from 'node:fs';
import { systemReason } from '../../lib/system-reason.ts';
import {
  exportIntervalMs,
  exportTimeoutMs,
  longestExportIntervalMs,
  mostQueuedSpans,
  queuedSpans,
  spanDelayMs,
  spansOfExport,
} from '../../limits/observe.ts';
import { isSamplerName, SAMPLERS, type Sampler, samplerFor } from './sampler.ts';

/** What is exported, as the names of variables have it. */
export type Signal = 'METRICS' | 'TRACES';

/** Environment variables, by name. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** Where one kind of data is exported to, and how. */
export interface Destination {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly encoding: 'protobuf' | 'json';
  readonly isCompressed: boolean;
  /** Of one export, with all that is tried. */
  readonly timeoutMs: number;
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
}

export interface MetricSettings extends Destination {
  readonly intervalMs: number;
}

export interface SpanSettings extends Destination {
  readonly sampler: Sampler;
  /** How long a span waits for others before it is sent. */
  readonly delayMs: number;
  /** Spans that wait at most; more are dropped. */
  readonly queue: number;
  /** Spans of one export. */
  readonly batch: number;
}

/** What is exported, and what of. */
export interface OtlpSettings {
  readonly metrics: MetricSettings | undefined;
  readonly spans: SpanSettings | undefined;
  /** Of what is exported: `service.name` and others. */
  readonly attributes: Readonly<Record<string, string>>;
  /** What of the variables has no effect, and why. Never a value: some are secrets. */
  readonly notes: readonly string[];
}

/**
 * What the standard variables say: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/. As they ask, a value that cannot be read is noted and has no
 * effect. Where nothing could be exported in the way that is asked for, the start fails.
 *
 * @returns undefined where nobody asked for an export.
 * @throws RangeError that names the variable, never its value.
 */
export function otlpSettings(variables: Variables): OtlpSettings | undefined {
  const notes: string[] = [];
  if (new Reader(variables, notes, 'METRICS').text('OTEL_SDK_DISABLED')?.toLowerCase() === 'true')
    return undefined;
  const metrics = metricSettings(new Reader(variables, notes, 'METRICS'));
  const spans = spanSettings(new Reader(variables, notes, 'TRACES'));
  if (metrics === undefined && spans === undefined) return undefined;
  const attributes = attributesOf(new Reader(variables, notes, 'METRICS'));
  // What is said of both is noted once.
  return { metrics, spans, attributes, notes: [...new Set(notes)] };
}

function metricSettings(read: Reader): MetricSettings | undefined {
  if (!isExported(read)) return undefined;
  const temporality = read.text('OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE')?.toLowerCase();
  if (temporality !== undefined && temporality !== 'cumulative')
    read.notes.push(
      'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE has no effect: counters are cumulative',
    );
  return {
    ...destinationOf(read, 'OTEL_METRIC_EXPORT_TIMEOUT'),
    intervalMs: read.milliseconds('OTEL_METRIC_EXPORT_INTERVAL') ?? exportIntervalMs,
  };
}

function spanSettings(read: Reader): SpanSettings | undefined {
  if (!isExported(read)) return undefined;
  const propagators = read.text('OTEL_PROPAGATORS')?.split(',');
  if (propagators?.some((name) => name.trim() === 'tracecontext') === false)
    read.notes.push('OTEL_PROPAGATORS has no effect: contexts are those of tracecontext, and no others');
  const queue = read.count('OTEL_BSP_MAX_QUEUE_SIZE', mostQueuedSpans) ?? queuedSpans;
  const batch = read.count('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', mostQueuedSpans) ?? spansOfExport;
  return {
    ...destinationOf(read, 'OTEL_BSP_EXPORT_TIMEOUT'),
    sampler: samplerOf(read),
    delayMs: read.milliseconds('OTEL_BSP_SCHEDULE_DELAY') ?? spanDelayMs,
    queue,
    batch: Math.min(batch, queue),
  };
}

/** @param otherTimeout a variable that bounds an export as well: the shorter counts. */
function destinationOf(read: Reader, otherTimeout: string): Destination {
  const timeouts = [
    read.milliseconds(`OTEL_EXPORTER_OTLP_${read.signal}_TIMEOUT`) ??
      read.milliseconds('OTEL_EXPORTER_OTLP_TIMEOUT'),
    read.milliseconds(otherTimeout),
  ].filter((ms) => ms !== undefined);
  return {
    encoding: encodingOf(read),
    url: urlOf(read),
    headers: headersOf(read),
    isCompressed: isCompressed(read),
    timeoutMs: timeouts.length === 0 ? exportTimeoutMs : Math.min(...timeouts),
    tls: {
      ca: read.file('CERTIFICATE'),
      cert: read.file('CLIENT_CERTIFICATE'),
      key: read.file('CLIENT_KEY'),
    },
  };
}

function samplerOf(read: Reader): Sampler {
  const name = read.text('OTEL_TRACES_SAMPLER')?.toLowerCase() ?? 'parentbased_always_on';
  if (!isSamplerName(name)) {
    read.notes.push(`OTEL_TRACES_SAMPLER has no effect: it is one of ${SAMPLERS.join(', ')}`);
    return samplerFor('parentbased_always_on', 1);
  }
  const argument = read.text('OTEL_TRACES_SAMPLER_ARG');
  const ratio = argument === undefined ? 1 : Number(argument);
  if (ratio >= 0 && ratio <= 1) return samplerFor(name, ratio);
  read.notes.push('OTEL_TRACES_SAMPLER_ARG has no effect: it is a number from 0 to 1');
  return samplerFor(name, 1);
}

/** The values of variables; an empty one is as none. */
class Reader {
  readonly #variables: Variables;
  readonly notes: string[];
  readonly signal: Signal;

  constructor(variables: Variables, notes: string[], signal: Signal) {
    this.#variables = variables;
    this.notes = notes;
    this.signal = signal;
  }

  text(name: string): string | undefined {
    return this.#variables[name]?.trim() || undefined;
  }

  /** What is said of this signal, or else of all. */
  ofExport(name: string): { name: string; value: string } | undefined {
    for (const full of [`OTEL_EXPORTER_OTLP_${this.signal}_${name}`, `OTEL_EXPORTER_OTLP_${name}`]) {
      const value = this.text(full);
      if (value !== undefined) return { name: full, value };
    }
    return undefined;
  }

  milliseconds(name: string): number | undefined {
    return this.count(name, longestExportIntervalMs, ', in milliseconds');
  }

  /** A whole number from 1 on. */
  count(name: string, most: number, unit = ''): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const count = /^\d+$/.test(text) ? Number(text) : 0;
    if (count >= 1 && count <= most) return count;
    this.notes.push(`${name} has no effect: it is 1 to ${most}${unit}`);
    return undefined;
  }

  /** Pairs as `name=value,name=value`, percent-encoded; undefined where they cannot be read. */
  pairs(name: string): Record<string, string> | undefined {
    const pairs = (this.text(name) ?? '').split(',').filter((pair) => pair.trim() !== '');
    try {
      return Object.fromEntries(pairs.map(pairOf));
    } catch {
      this.notes.push(`${name} has no effect: it is name=value,name=value, percent-encoded`);
      return undefined;
    }
  }

  /** @throws RangeError. */
  file(name: string): Buffer | undefined {
    const named = this.ofExport(name);
    if (named === undefined) return undefined;
    try {
      return readFileSync(named.value);
    } catch (error) {
      throw new RangeError(`the file of ${named.name} cannot be read: ${systemReason(error)}`);
    }
  }
}

function pairOf(pair: string): [name: string, value: string] {
  const at = pair.indexOf('=');
  if (at < 1) throw new RangeError('it has no =');
  return [decodeURIComponent(pair.slice(0, at).trim()), decodeURIComponent(pair.slice(at + 1).trim())];
}

/** An export costs a connection to somebody: it has to be asked for, by an endpoint or by its name. */
function isExported(read: Reader): boolean {
  const variable = `OTEL_${read.signal}_EXPORTER`;
  const exporters = read
    .text(variable)
    ?.split(',')
    .map((name) => name.trim());
  const unknown = exporters?.filter((name) => name !== 'otlp' && name !== 'none') ?? [];
  if (unknown.length > 0) read.notes.push(`${variable}: otlp and none are known, others have no effect`);
  return exporters === undefined ? read.ofExport('ENDPOINT') !== undefined : exporters.includes('otlp');
}

function encodingOf(read: Reader): Destination['encoding'] {
  const protocol = read.ofExport('PROTOCOL');
  const encoding = ENCODINGS.get(protocol?.value ?? 'http/protobuf');
  if (encoding !== undefined) return encoding;
  throw new RangeError(
    `${protocol!.name} is http/protobuf or http/json: set it to one of them, and the endpoint to the port for HTTP`,
  );
}

const ENCODINGS: ReadonlyMap<string, Destination['encoding']> = new Map([
  ['http/protobuf', 'protobuf'],
  ['http/json', 'json'],
]);

function urlOf(read: Reader): URL {
  const { name, value } = read.ofExport('ENDPOINT') ?? {
    name: 'the endpoint',
    value: 'http://localhost:4318',
  };
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new RangeError(`${name} is an address that begins with http:// or https://`);
  // The address of all signals is a folder; that of one is taken as it is.
  if (name !== `OTEL_EXPORTER_OTLP_${read.signal}_ENDPOINT`)
    url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/${read.signal.toLowerCase()}`;
  return url;
}

function headersOf(read: Reader): Record<string, string> {
  // Importing it would load the runtime's HTTP client at the start of each broker: 30 ms.
  const { validateHeaderName, validateHeaderValue } = process.getBuiltinModule('node:http');
  const headers: Record<string, string> = {};
  for (const variable of ['OTEL_EXPORTER_OTLP_HEADERS', `OTEL_EXPORTER_OTLP_${read.signal}_HEADERS`]) {
    for (const [name, value] of Object.entries(read.pairs(variable) ?? {})) {
      try {
        validateHeaderName(name);
        validateHeaderValue(name, value);
      } catch {
        throw new RangeError(`${variable} has a header that HTTP does not allow`);
      }
      headers[name.toLowerCase()] = value;
    }
  }
  return headers;
}

function isCompressed(read: Reader): boolean {
  const compression = read.ofExport('COMPRESSION');
  if (compression !== undefined && !/^(gzip|none)$/.test(compression.value))
    read.notes.push(`${compression.name} has no effect: it is gzip or none`);
  return compression?.value === 'gzip';
}

function attributesOf(read: Reader): Record<string, string> {
  const attributes = { 'service.name': 'tinymq', ...read.pairs('OTEL_RESOURCE_ATTRIBUTES') };
  const name = read.text('OTEL_SERVICE_NAME');
  return name === undefined ? attributes : { ...attributes, 'service.name': name };
}
