import { monitorEventLoopDelay } from 'node:perf_hooks';

/** How often the delay is looked at; what is shorter is not seen. */
const RESOLUTION_MS = 50;
/** Each reader sees at least so much, however often others read. */
const WINDOW_MS = 10_000;
const NS_PER_SECOND = 1e9;

/** What is told of a time, in seconds. */
interface Delays {
  p50: number;
  p99: number;
  max: number;
}

/**
 * How much later than planned the process got to work. It tells of the last whole window, which ends when somebody reads
 * after at least {@link WINDOW_MS}; of the first one as far as it has come. Nothing is measured before the first reading:
 * that takes a timer that most embedded brokers have no use for.
 */
export class EventLoopDelay {
  #monitor: ReturnType<typeof monitorEventLoopDelay> | undefined;
  #last: Delays | undefined;
  #beganAtMs = 0;

  read(): Delays {
    if (this.#monitor === undefined) {
      this.#monitor = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      this.#monitor.enable();
      this.#beganAtMs = performance.now();
    } else if (performance.now() - this.#beganAtMs >= WINDOW_MS) {
      this.#last = this.#present(this.#monitor);
      this.#monitor.reset();
      this.#beganAtMs = performance.now();
    }
    return this.#last ?? this.#present(this.#monitor);
  }

  close(): void {
    this.#monitor?.disable();
  }

  #present(monitor: ReturnType<typeof monitorEventLoopDelay>): Delays {
    const [p50, p99] = [monitor.percentile(50), monitor.percentile(99)];
    return { p50: p50 / NS_PER_SECOND, p99: p99 / NS_PER_SECOND, max: monitor.max / NS_PER_SECOND };
  }
}
