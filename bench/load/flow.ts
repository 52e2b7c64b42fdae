import type { Connection } from './connection.ts';
import type { Traffic } from './traffic.ts';

/**
 * How far publishers may be ahead of the subscribers, in published bytes: enough to keep every socket on the way
 * busy, and less than any peer needs to wait for before it drops messages or clients.
 */
export const WINDOW_BYTES = 4 * 1024 * 1024;
/** Nothing arrived for so long: it will not come any more. nats-server waits 10 seconds for a stuck subscriber. */
const LOST_AFTER_MS = 12_000;

/** Publishes as fast as the window allows, and counts what arrives. */
export class Flow {
  receivedBytes = 0;
  expectedBytes = 0;
  readonly #publishers: readonly Connection[];
  readonly #traffic: Traffic;
  readonly #windowBytes: number;
  /** The next block of each publisher. */
  readonly #next: number[];
  #isRunning = false;
  #onAllReceived: (() => void) | undefined;

  constructor(publishers: readonly Connection[], traffic: Traffic) {
    this.#publishers = publishers;
    this.#traffic = traffic;
    this.#windowBytes = WINDOW_BYTES * traffic.deliveredBytesPerPublishedByte;
    this.#next = publishers.map(() => 0);
    for (const publisher of publishers) publisher.onDrain(() => this.#pump());
  }

  start(): void {
    this.#isRunning = true;
    this.#pump();
  }

  /** Tells of bytes that a subscriber got. */
  received(bytes: number): void {
    this.receivedBytes += bytes;
    if (this.#isRunning) this.#pump();
    else if (this.receivedBytes >= this.expectedBytes) this.#onAllReceived?.();
  }

  /** Stops publishing, waits for what is on its way, and returns how many deliveries never came. */
  async stop(): Promise<number> {
    this.#isRunning = false;
    let before = -1;
    while (this.receivedBytes < this.expectedBytes && this.receivedBytes !== before) {
      before = this.receivedBytes;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOST_AFTER_MS);
        this.#onAllReceived = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#onAllReceived = undefined;
    const missingBytes = this.expectedBytes - this.receivedBytes;
    this.expectedBytes = this.receivedBytes;
    if (missingBytes < 0) throw new Error(`${-missingBytes} bytes more arrived than were sent`);
    return Math.ceil(missingBytes / this.#traffic.bytesPerDelivery);
  }

  #pump(): void {
    let wrote = this.#isRunning;
    while (wrote) {
      wrote = false;
      for (let index = 0; index < this.#publishers.length; index++) {
        const publisher = this.#publishers[index];
        const blocks = this.#traffic.blocks[index];
        const block = blocks[this.#next[index]];
        const ahead = this.expectedBytes - this.receivedBytes + block.deliveredBytes;
        if (publisher.isBlocked || ahead > this.#windowBytes) continue;
        this.expectedBytes += block.deliveredBytes;
        this.#next[index] = (this.#next[index] + 1) % blocks.length;
        publisher.write(block.bytes);
        wrote = true;
      }
    }
  }
}
