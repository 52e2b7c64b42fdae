import type { Message } from './message.ts';

/** What a subscription needs from its client. */
export interface SubscriptionOwner {
  release(subscription: Subscription): Promise<void>;
  /** Stops reading until {@link resume} is called as often. */
  pause(): void;
  resume(): void;
  /** Whether the client hands every message to somebody anyway. */
  hasMessageHandler(): boolean;
}

/** How a subscription takes its messages. */
export interface TakeOptions {
  /** Messages that an iterator may be behind. */
  queueSize?: number | undefined;
  /** Whether the app itself answers each message. */
  isManual?: boolean;
}

/** Messages that an iterator holds before the client stops reading, unless it is told otherwise. */
const ITERATOR_QUEUE_MESSAGES = 1000;
/** The same for few large messages: so many bytes of payload. */
const ITERATOR_QUEUE_BYTES = 16 * 1024 * 1024;

interface Waiting {
  resolve(result: IteratorResult<Message>): void;
  reject(error: Error): void;
}

/**
 * One subscription. Without a handler it is iterated:
 *
 *     for await (const message of await client.subscribe('sensors/#')) …
 *
 * An iterator that falls behind makes the client stop reading, so that the broker waits; leaving the loop ends the
 * subscription. Who does not iterate because `setMessageHandler` or `on('message')` gets the messages need not do
 * anything: nothing waits for an iterator that does not come.
 */
export class Subscription implements AsyncIterable<Message>, AsyncDisposable {
  readonly filter: string;
  /** @internal Takes a message. */
  readonly deliver: (message: Message) => unknown;
  readonly #owner: SubscriptionOwner;
  readonly #hasHandler: boolean;
  readonly #queueSize: number;
  #queue: Message[] = [];
  #queueBytes = 0;
  #taken = 0;
  /** What the loop deals with: done when it asks for the next one. */
  #inHand: Message | undefined;
  #waiting: Waiting[] = [];
  #isIterated = false;
  /** The messages are for the client's message handler; nobody iterates. */
  #isPassedOver = false;
  #isHolding = false;
  #isEnded = false;
  #error: Error | undefined;
  #forgetSignal: (() => void) | undefined;

  /** @internal */
  constructor(
    filter: string,
    owner: SubscriptionOwner,
    handler: ((message: Message) => unknown) | undefined,
    { queueSize = ITERATOR_QUEUE_MESSAGES, isManual = false }: TakeOptions = {},
  ) {
    this.filter = filter;
    this.#owner = owner;
    this.#hasHandler = handler !== undefined;
    this.#queueSize = queueSize;
    const take = handler ?? ((message: Message) => this.#enqueue(message));
    this.deliver = isManual ? (message) => byHand(message, take) : take;
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

  /** @throws TypeError where the subscription has a handler. */
  [Symbol.asyncIterator](): AsyncIterator<Message> {
    if (this.#hasHandler) throw new TypeError('a subscription with a handler is not iterated');
    this.#isIterated = true;
    this.#isPassedOver = false;
    return {
      next: () => this.#next(),
      return: async () => {
        this.#done();
        await this.unsubscribe();
        return { done: true, value: undefined };
      },
    };
  }

  /** @internal The subscription is over: what was received is still iterated, then the error is thrown, if any. */
  end(error?: Error): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#forgetSignal?.();
    this.#letGo();
    for (const waiting of this.#waiting.splice(0)) {
      const last = this.#takeError();
      if (last === undefined) waiting.resolve({ done: true, value: undefined });
      else waiting.reject(last);
    }
  }

  /** @internal Calls `end` when the signal is aborted, as long as the subscription lasts. */
  endWith(signal: AbortSignal, end: () => void): void {
    if (this.#isEnded) return;
    signal.addEventListener('abort', end, { once: true });
    this.#forgetSignal = () => signal.removeEventListener('abort', end);
  }

  #enqueue(message: Message): void {
    if (this.#isEnded || this.#isPassedOver) return;
    message.settlement?.hold();
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      this.#inHand = message;
      waiting.resolve({ done: false, value: message });
      return;
    }
    this.#queue.push(message);
    this.#queueBytes += message.size;
    if (this.#isHolding) return;
    const isFull =
      this.#queue.length - this.#taken >= this.#queueSize || this.#queueBytes >= ITERATOR_QUEUE_BYTES;
    if (!isFull) return;
    if (!this.#isIterated && this.#owner.hasMessageHandler()) {
      this.#isPassedOver = true;
      for (const passed of this.#queue) passed.settlement?.letGo();
      this.#empty();
      return;
    }
    this.#isHolding = true;
    this.#owner.pause();
  }

  #done(): void {
    this.#inHand?.settlement?.letGo();
    this.#inHand = undefined;
  }

  #next(): Promise<IteratorResult<Message>> {
    this.#done();
    const message = this.#queue[this.#taken];
    if (message !== undefined) {
      this.#inHand = message;
      this.#taken++;
      if (this.#taken === this.#queue.length) {
        this.#empty();
        this.#letGo();
      }
      return Promise.resolve({ done: false, value: message });
    }
    if (this.#isEnded) {
      const error = this.#takeError();
      return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  /** The error is thrown once; after it an iterator is at its end. */
  #takeError(): Error | undefined {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }

  #empty(): void {
    this.#queue = [];
    this.#queueBytes = 0;
    this.#taken = 0;
  }

  #letGo(): void {
    if (!this.#isHolding) return;
    this.#isHolding = false;
    this.#owner.resume();
  }
}

/** Nothing answers for the app. */
function byHand(message: Message, take: (message: Message) => unknown): unknown {
  message.settlement?.leaveToHand();
  return take(message);
}
