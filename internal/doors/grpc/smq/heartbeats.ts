import type { Clock, ClockTimer } from '../../../lib/clock.ts';
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
  readonly #clock: Clock;
  readonly #timer: ClockTimer;

  constructor(
    { heartbeatAfterMs, heartbeatEveryMs }: { heartbeatAfterMs: number; heartbeatEveryMs: number },
    clock: Clock,
  ) {
    this.#clock = clock;
    this.#afterMs = heartbeatAfterMs;
    this.#everyMs = heartbeatEveryMs;
    this.#timer = clock.every(Math.min(heartbeatEveryMs, heartbeatAfterMs), () => this.#sweep());
  }

  add(stream: Beating): void {
    this.#quiet.set(stream, { sinceMs: this.#clock.elapsedMs(), hasBeaten: false });
  }

  remove(stream: Beating): void {
    this.#quiet.delete(stream);
  }

  /** Something was sent to a stream. */
  sent(stream: Beating): void {
    const state = this.#quiet.get(stream);
    if (state === undefined) return;
    state.sinceMs = this.#clock.elapsedMs();
    state.hasBeaten = false;
  }

  close(): void {
    this.#timer.cancel();
  }

  #sweep(): void {
    const now = this.#clock.elapsedMs();
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
