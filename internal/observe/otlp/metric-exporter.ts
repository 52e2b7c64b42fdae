import type { Clock, ClockTimer } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { lastExportMs } from '../../limits/observe.ts';
import { ExportMetricsRequest } from '../../protocol/otlp/otlp.ts';
import type { Metrics } from '../metrics.ts';
import { metricsRequest } from './metrics-request.ts';
import { Reporter } from './reporter.ts';
import { send } from './send.ts';
import type { MetricSettings } from './settings.ts';

export interface MetricExporterParts {
  readonly settings: MetricSettings;
  readonly attributes: Readonly<Record<string, string>>;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly startedAtMs: number;
}

/**
 * Sends the metrics to a collector again and again. Counters are cumulative, so that an export that failed loses nothing that
 * the next one does not bring: nothing is kept for it, and nothing is sent twice.
 */
export class MetricExporter {
  readonly #parts: MetricExporterParts;
  readonly #timer: ClockTimer;
  readonly #stop = new AbortController();
  readonly #reporter: Reporter;
  #current: Promise<void> | undefined;

  constructor(parts: MetricExporterParts) {
    this.#parts = parts;
    this.#reporter = new Reporter('metrics', parts.settings.url, parts.logger);
    this.#timer = parts.clock.every(parts.settings.intervalMs, () => this.#begin());
  }

  /** Sends what is there, for the last time. A collector that does not answer delays that by {@link lastExportMs} at most. */
  async close(): Promise<void> {
    this.#timer.cancel();
    this.#stop.abort();
    await this.#current;
    await this.#export(AbortSignal.timeout(Math.min(this.#parts.settings.timeoutMs, lastExportMs)));
  }

  /** One at a time: a slow collector gets fewer. */
  #begin(): void {
    const timeout = AbortSignal.timeout(this.#parts.settings.timeoutMs);
    this.#current ??= this.#export(timeout, this.#stop.signal).finally(() => {
      this.#current = undefined;
    });
  }

  /** @param stop makes way for the last export, which brings all that this one would have. */
  async #export(timeout: AbortSignal, stop?: AbortSignal): Promise<void> {
    const { settings, metrics, attributes, clock, startedAtMs } = this.#parts;
    const request = metricsRequest(metrics, attributes, { startedAtMs, nowMs: clock.now() });
    const signal = stop === undefined ? timeout : AbortSignal.any([timeout, stop]);
    try {
      this.#reporter.worked(await send(settings, ExportMetricsRequest, request, signal));
    } catch (error) {
      if (!stop?.aborted) this.#reporter.failed(error, timeout.aborted);
    }
  }
}
