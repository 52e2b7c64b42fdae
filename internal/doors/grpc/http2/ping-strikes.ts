/**
 * Counts the pings of a client that come too soon after each other. Whatever is sent to it as HEADERS or DATA clears
 * them: clients measure the way to us with a ping for each round trip as long as they receive (gRPC proposal A8).
 */
export class PingStrikes {
  readonly #minIntervalMs: number;
  readonly #maxStrikes: number;
  #lastPingAt = Number.NEGATIVE_INFINITY;
  #strikes = 0;

  /** @param minIntervalMs 0: clients ping as they like. */
  constructor(minIntervalMs: number, maxStrikes: number) {
    this.#minIntervalMs = minIntervalMs;
    this.#maxStrikes = maxStrikes;
  }

  /** HEADERS or DATA were sent. */
  clear(): void {
    this.#strikes = 0;
    this.#lastPingAt = Number.NEGATIVE_INFINITY;
  }

  /** A ping came. Whether it is one too many. */
  isTooMany(now: number): boolean {
    const isEarly = now - this.#lastPingAt < this.#minIntervalMs;
    this.#lastPingAt = now;
    return isEarly && ++this.#strikes > this.#maxStrikes;
  }
}
