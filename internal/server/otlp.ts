import { type Clock, systemClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Metrics } from '../observe/metrics.ts';
import { otlpSettings, type Variables } from '../observe/otlp/settings.ts';
import type { Spans } from '../observe/spans.ts';

interface OtlpParts {
  readonly variables: Variables | undefined;
  readonly metrics: Metrics;
  readonly spans: Spans;
  readonly clock: Clock | undefined;
  readonly logger: Logger;
}

/**
 * Begins to export metrics and spans, where the variables ask for it; the code for it is loaded only then.
 *
 * @throws RangeError where a variable asks for what is not possible.
 */
export async function openOtlp({ variables, clock = systemClock, spans, ...parts }: OtlpParts) {
  const settings = variables && otlpSettings(variables);
  if (settings === undefined) return undefined;
  const { attributes, notes } = settings;
  for (const note of notes) parts.logger.warn({}, note);
  const shared = { ...parts, attributes, clock, startedAtMs: clock.now() };
  const { MetricExporter } = await import('../observe/otlp/metric-exporter.ts');
  const { SpanExporter } = await import('../observe/otlp/span-exporter.ts');
  const metrics = settings.metrics && new MetricExporter({ ...shared, settings: settings.metrics });
  const exporter = settings.spans && new SpanExporter({ ...shared, settings: settings.spans });
  const stop = exporter && spans.to(exporter);
  return {
    async close(): Promise<void> {
      stop?.();
      // What became of the last spans is in the last metrics.
      await exporter?.close();
      await metrics?.close();
    },
  };
}
