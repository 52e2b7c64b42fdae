import type { Message } from './message.ts';

/** What a subscription needs from its client. */
export interface SubscriptionOwner {
  release(subscription: Subscription): Promise<void>;
  /** Stops reading until {@link resume} is called as often. */
  pause(): void;
  resume(): void;
}

/** Messages that an iterator holds before the client stops reading. */
export const ITERATOR_QUEUE_MESSAGES = 1000;

/**
 * One subscription. Without a handler it is iterated:
 *
 *     for await (const message of await client.subscribe('sensors/#')) …
 *
 * An iterator that falls behind makes the client stop reading, so that the broker waits; leaving the loop ends the
 * subscription.
 */
export class Subscription implements AsyncIterable<Message>, AsyncDisposable {
  readonly filter: string;
  /** @internal Takes a message. */
  readonly deliver: (message: Message) => unknown;
  readonly #owner: SubscriptionOwner;
  readonly #hasHandler: boolean;
  #queue: Message[] = [];
  #taken = 0;
  #waiting: { resolve(result: IteratorResult<Message>): void; reject(error: Error): void } | undefined;
  #isHolding = false;
  #isEnded = false;
  #error: Error | undefined;

  /** @internal */
  constructor(
    filter: string,
    owner: SubscriptionOwner,
    handler: ((message: Message) => unknown) | undefined,
  ) {
    this.filter = filter;
    this.#owner = owner;
    this.#hasHandler = handler !== undefined;
    this.deliver = handler ?? ((message) => this.#enqueue(message));
  }

  /** Ends the subscription; resolves when the broker has acknowledged it. */
  async unsubscribe(): Promise<void> {
    if (this.#isEnded) return;
    this.end();
    await this.#owner.release(this);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.unsubscribe();
  }

  [Symbol.asyncIterator](): AsyncIterator<Message> {
    if (this.#hasHandler) throw new TypeError('a subscription with a handler is not iterated');
    return {
      next: () => this.#next(),
      return: async () => {
        await this.unsubscribe();
        return { done: true, value: undefined };
      },
    };
  }

  /** @internal The client is closed: what was received is still iterated, then the error is thrown, if any. */
  end(error?: Error): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#letGo();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (error !== undefined && waiting !== undefined) waiting.reject(error);
    else waiting?.resolve({ done: true, value: undefined });
  }

  #enqueue(message: Message): void {
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      waiting.resolve({ done: false, value: message });
      return;
    }
    this.#queue.push(message);
    if (this.#queue.length - this.#taken >= ITERATOR_QUEUE_MESSAGES && !this.#isHolding && !this.#isEnded) {
      this.#isHolding = true;
      this.#owner.pause();
    }
  }

  #next(): Promise<IteratorResult<Message>> {
    const message = this.#queue[this.#taken];
    if (message !== undefined) {
      this.#taken++;
      if (this.#taken === this.#queue.length) {
        this.#queue = [];
        this.#taken = 0;
        this.#letGo();
      }
      return Promise.resolve({ done: false, value: message });
    }
    if (this.#isEnded) {
      if (this.#error !== undefined) return Promise.reject(this.#error);
      return Promise.resolve({ done: true, value: undefined });
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  #letGo(): void {
    if (!this.#isHolding) return;
    this.#isHolding = false;
    this.#owner.resume();
  }
}
