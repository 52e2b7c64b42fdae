import { setTimeout as sleep } from 'node:timers/promises';
import type { Parties } from './connect-all.ts';
import { Flow } from './flow.ts';
import { Gaps } from './gaps.ts';
import { measure } from './meter.ts';
import type { Traffic } from './traffic.ts';

/** How long a flow runs before it is measured. */
const RUN_UP_MS = 300;

/** A 1 to 1 flow whose pauses are noted, for cases that disturb it. */
export class WatchedFlow {
  readonly gaps = new Gaps();
  readonly #flow: Flow;
  readonly #brokerPid: number;
  readonly #bytesPerDelivery: number;
  #ended: string | undefined;

  constructor({ publishers, subscribers }: Parties, traffic: Traffic, brokerPid: number) {
    this.#flow = new Flow(publishers, traffic);
    this.#brokerPid = brokerPid;
    this.#bytesPerDelivery = traffic.bytesPerDelivery;
    subscribers[0].onEnd = (reason) => {
      this.#ended ??= reason;
    };
    subscribers[0].onBytes = (bytes) => {
      this.gaps.arrived();
      this.#flow.received(bytes);
    };
  }

  /** Begins to measure; the function that is returned ends it. */
  measure(): ReturnType<typeof measure> {
    return measure(this.#brokerPid, () => this.#flow.receivedBytes / this.#bytesPerDelivery);
  }

  /** Starts the flow, lets it run up, and returns its undisturbed rate. */
  async rateBefore(seconds: number): Promise<number> {
    this.#flow.start();
    await sleep(RUN_UP_MS);
    const before = this.measure();
    await sleep(seconds * 1000);
    return before().messagesPerSecond;
  }

  /**
   * Stops the flow; resolves with how many messages were lost.
   *
   * @throws Error where its subscriber was cut off.
   */
  async stop(): Promise<number> {
    const lost = await this.#flow.stop();
    if (this.#ended !== undefined) throw new Error(this.#ended);
    return lost;
  }
}
