import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { gzipSync } from 'node:zlib';
import type { Clock, ClockTimer } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { systemReason } from '../../lib/system-reason.ts';
import { lastExportMs } from '../../limits/observe.ts';
import type { Metrics } from '../metrics.ts';
import { metricsRequest } from './metrics-json.ts';
import type { OtlpSettings } from './settings.ts';

export interface ExporterParts {
  readonly settings: OtlpSettings;
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
  readonly #parts: ExporterParts;
  readonly #timer: ClockTimer;
  readonly #stop = new AbortController();
  #current: Promise<void> | undefined;
  #hasFailed = false;

  constructor(parts: ExporterParts) {
    this.#parts = parts;
    for (const note of parts.settings.notes) parts.logger.warn({}, note);
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
    const { settings, logger } = this.#parts;
    const collector = settings.url.origin;
    try {
      await send(settings, this.#body(), stop === undefined ? timeout : AbortSignal.any([timeout, stop]));
      if (this.#hasFailed) logger.info({ collector }, 'metrics are exported again');
      this.#hasFailed = false;
    } catch (error) {
      if (stop?.aborted) return;
      const reason = timeout.aborted ? 'it did not answer in time' : reasonOf(error);
      if (!this.#hasFailed) logger.warn({ collector, error: reason }, 'metrics are not exported');
      this.#hasFailed = true;
    }
  }

  #body(): Buffer {
    const { settings, metrics, clock, startedAtMs } = this.#parts;
    const request = metricsRequest(metrics, settings.attributes, { startedAtMs, nowMs: clock.now() });
    const text = Buffer.from(JSON.stringify(request));
    return settings.isCompressed ? gzipSync(text) : text;
  }
}

/** Redirections are not followed: the headers are for this collector only. */
async function send(settings: OtlpSettings, body: Buffer, signal: AbortSignal): Promise<void> {
  const { url, headers, isCompressed, tls } = settings;
  const request = (url.protocol === 'https:' ? https : http).request(url, {
    ...tls,
    method: 'POST',
    // A connection that is kept for a minute is closed by many collectors just when it is used again.
    agent: false,
    signal,
    headers: {
      'user-agent': 'tinymq',
      ...headers,
      'content-type': 'application/json',
      'content-length': body.length,
      ...(isCompressed && { 'content-encoding': 'gzip' }),
    },
  });
  const answered = once(request, 'response');
  // One that breaks off after that fails the answer.
  request.on('error', () => {});
  request.end(body);
  const [response] = (await answered) as [http.IncomingMessage];
  // Of the answer only its status is looked at.
  response.resume();
  await once(response, 'end');
  const { statusCode = 0 } = response;
  if (statusCode < 200 || statusCode > 299) throw new Error(`it answered with HTTP status ${statusCode}`);
}

/** Where each of several addresses failed, there is a code only. */
function reasonOf(error: unknown): string {
  return systemReason(error) || String((error as NodeJS.ErrnoException).code);
}
