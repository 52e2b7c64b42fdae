import type { Metrics } from '../../observe/metrics.ts';
import { Status, type StatusCode } from '../../protocol/grpc/status.ts';

/** The calls of the door. */
export class Counts {
  calls = 0;
  readonly #metrics: Metrics;
  readonly #byStatus = new Map<StatusCode, { value: number }>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    metrics.gauge('grpc_calls', () => this.calls);
  }

  callOpened(): void {
    this.calls++;
  }

  callOver(status: StatusCode): void {
    this.calls--;
    let counter = this.#byStatus.get(status);
    if (counter === undefined) {
      counter = this.#metrics.counter('grpc_calls_total', {
        status: STATUS_NAMES.get(status) ?? String(status),
      });
      this.#byStatus.set(status, counter);
    }
    counter.value++;
  }
}

const STATUS_NAMES = new Map(Object.entries(Status).map(([name, code]) => [code, name]));
