import { type Clock, systemClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Metrics } from '../observe/metrics.ts';
import { otlpSettings, type Variables } from '../observe/otlp/settings.ts';

interface OtlpParts {
  readonly variables: Variables | undefined;
  readonly metrics: Metrics;
  readonly clock: Clock | undefined;
  readonly logger: Logger;
}

/**
 * Begins to export the metrics, where the variables ask for it; the code for it is loaded only then.
 *
 * @throws RangeError where a variable asks for what is not possible.
 */
export async function openOtlp({ variables, clock = systemClock, ...parts }: OtlpParts) {
  const settings = variables && otlpSettings(variables);
  if (settings === undefined) return undefined;
  const startedAtMs = clock.now();
  const { MetricExporter } = await import('../observe/otlp/exporter.ts');
  return new MetricExporter({ ...parts, settings, clock, startedAtMs });
}
