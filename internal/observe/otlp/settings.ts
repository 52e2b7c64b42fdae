import { readFileSync } from 'node:fs';
import { systemReason } from '../../lib/system-reason.ts';
import { exportIntervalMs, exportTimeoutMs, longestExportIntervalMs } from '../../limits/observe.ts';

/** Environment variables, by name. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** Where metrics are exported to, and how. */
export interface OtlpSettings {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly isCompressed: boolean;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
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
  const read = new Reader(variables, notes);
  if (read.text('OTEL_SDK_DISABLED')?.toLowerCase() === 'true' || !isExported(read)) return undefined;
  checkProtocol(read);
  for (const name of ['OTEL_TRACES_EXPORTER', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) {
    if ((read.text(name) ?? 'none') !== 'none') notes.push(`${name} has no effect: no spans are exported`);
  }
  const temporality = read.text('OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE')?.toLowerCase();
  if (temporality !== undefined && temporality !== 'cumulative')
    notes.push('OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE has no effect: counters are cumulative');
  const timeouts = [
    read.milliseconds('OTEL_EXPORTER_OTLP_METRICS_TIMEOUT') ??
      read.milliseconds('OTEL_EXPORTER_OTLP_TIMEOUT'),
    read.milliseconds('OTEL_METRIC_EXPORT_TIMEOUT'),
  ].filter((ms) => ms !== undefined);
  return {
    url: urlOf(read),
    headers: headersOf(read),
    isCompressed: isCompressed(read),
    intervalMs: read.milliseconds('OTEL_METRIC_EXPORT_INTERVAL') ?? exportIntervalMs,
    timeoutMs: timeouts.length === 0 ? exportTimeoutMs : Math.min(...timeouts),
    tls: {
      ca: read.file('CERTIFICATE'),
      cert: read.file('CLIENT_CERTIFICATE'),
      key: read.file('CLIENT_KEY'),
    },
    attributes: attributesOf(read),
    notes,
  };
}

/** The values of variables; an empty one is as none. */
class Reader {
  readonly #variables: Variables;
  readonly notes: string[];

  constructor(variables: Variables, notes: string[]) {
    this.#variables = variables;
    this.notes = notes;
  }

  text(name: string): string | undefined {
    return this.#variables[name]?.trim() || undefined;
  }

  /** What is said of metrics, or else of all signals. */
  ofExport(name: string): { name: string; value: string } | undefined {
    for (const full of [`OTEL_EXPORTER_OTLP_METRICS_${name}`, `OTEL_EXPORTER_OTLP_${name}`]) {
      const value = this.text(full);
      if (value !== undefined) return { name: full, value };
    }
    return undefined;
  }

  milliseconds(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const ms = /^\d+$/.test(text) ? Number(text) : 0;
    if (ms >= 1 && ms <= longestExportIntervalMs) return ms;
    this.notes.push(`${name} has no effect: it is 1 to ${longestExportIntervalMs}, in milliseconds`);
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
  const exporters = read
    .text('OTEL_METRICS_EXPORTER')
    ?.split(',')
    .map((name) => name.trim());
  const unknown = exporters?.filter((name) => name !== 'otlp' && name !== 'none') ?? [];
  if (unknown.length > 0)
    read.notes.push('OTEL_METRICS_EXPORTER: otlp and none are known, others have no effect');
  return exporters === undefined ? read.ofExport('ENDPOINT') !== undefined : exporters.includes('otlp');
}

function checkProtocol(read: Reader): void {
  const protocol = read.ofExport('PROTOCOL');
  if (protocol !== undefined && protocol.value !== 'http/json')
    throw new RangeError(
      `${protocol.name} is http/json, and no other: set it to that, and the endpoint to the port for HTTP`,
    );
}

function urlOf(read: Reader): URL {
  const { name, value } = read.ofExport('ENDPOINT') ?? {
    name: 'the endpoint',
    value: 'http://localhost:4318',
  };
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new RangeError(`${name} is an address that begins with http:// or https://`);
  // The address of all signals is a folder; that of the metrics is taken as it is.
  if (name !== 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT')
    url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/metrics`;
  return url;
}

function headersOf(read: Reader): Record<string, string> {
  // Importing it would load the runtime's HTTP client at the start of each broker: 30 ms.
  const { validateHeaderName, validateHeaderValue } = process.getBuiltinModule('node:http');
  const headers: Record<string, string> = {};
  for (const variable of ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_METRICS_HEADERS']) {
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
