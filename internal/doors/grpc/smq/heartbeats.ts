import { grpcHeartbeatsPerSecond } from '../../../limits/grpc.ts';

/** A stream that gets heartbeats while nothing else is sent to it. */
export interface Beating {
  beat(): void;
}

/** One timer for the heartbeats of all streams. Where there are very many, each gets fewer. */
export class Heartbeats {
  readonly #afterMs: number;
  readonly #everyMs: number;
  readonly #quiet = new Map<Beating, { sinceMs: number; hasBeaten: boolean }>();
  readonly #timer: NodeJS.Timeout;

  constructor({
    heartbeatAfterMs,
    heartbeatEveryMs,
  }: { heartbeatAfterMs: number; heartbeatEveryMs: number }) {
    this.#afterMs = heartbeatAfterMs;
    this.#everyMs = heartbeatEveryMs;
    this.#timer = setInterval(() => this.#sweep(), Math.min(heartbeatEveryMs, heartbeatAfterMs)).unref();
  }

  add(stream: Beating): void {
    this.#quiet.set(stream, { sinceMs: performance.now(), hasBeaten: false });
  }

  remove(stream: Beating): void {
    this.#quiet.delete(stream);
  }

  /** Something was sent to a stream. */
  sent(stream: Beating): void {
    const state = this.#quiet.get(stream);
    if (state === undefined) return;
    state.sinceMs = performance.now();
    state.hasBeaten = false;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    const now = performance.now();
    const everyMs = Math.max(this.#everyMs, (this.#quiet.size / grpcHeartbeatsPerSecond) * 1_000);
    for (const [stream, state] of this.#quiet) {
      // A tick of the timer may come a little early.
      const dueMs = (state.hasBeaten ? everyMs : this.#afterMs) - TICK_MS;
      if (now - state.sinceMs < dueMs) continue;
      stream.beat();
      state.sinceMs = now;
      state.hasBeaten = true;
    }
  }
}

const TICK_MS = 5;
