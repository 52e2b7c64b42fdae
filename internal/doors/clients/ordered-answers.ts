import type { Channel } from '../../broker/delivery/channel.ts';
import type { Receipt } from '../../broker/delivery/receipt.ts';
import type { BrokerError } from '../../errors.ts';
import { Fifo } from '../../lib/fifo.ts';

/** An answer that waits for its receipt, or for the answers before it. */
interface Waiting {
  bytes: Uint8Array;
  count: number;
  /** Undefined where it promises nothing that anybody has to keep. */
  receipt: Receipt | undefined;
  sent: ((problem?: BrokerError) => void) | undefined;
}

/**
 * Sends the answers to one client, in the order of what they answer, and those that promise something not before the promise is
 * kept.
 */
export class OrderedAnswers {
  readonly #channel: Channel;
  readonly #waiting = new Fifo<Waiting>();
  #count = 0;
  #isClosed = false;
  #whenAllSent: (() => void) | undefined;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** How many things wait for their answer. */
  get waiting(): number {
    return this.#count;
  }

  /** Sends an answer that promises nothing that has to be written. */
  now(bytes: Uint8Array): void {
    this.#channel.control(bytes);
  }

  /**
   * Sends an answer behind the ones before it.
   *
   * @param receipt of what it promises; undefined: nothing that has to be kept.
   * @param sent called when it is sent, or with a problem instead where the promise cannot be kept.
   * @param count how many things it answers.
   */
  inOrder(bytes: Uint8Array, receipt?: Receipt, sent?: (problem?: BrokerError) => void, count = 1): void {
    if (this.#isClosed) return;
    const isSettled = receipt === undefined || receipt.isSettled;
    if (this.#waiting.length === 0 && isSettled) {
      this.#send(bytes, receipt?.problem, sent);
      return;
    }
    // Its owner may use one that nobody held for other work.
    this.#waiting.push({ bytes, count, receipt: receipt?.isUsed ? receipt : undefined, sent });
    this.#count += count;
    if (!isSettled) receipt.whenSettled(this.#sendSettled);
  }

  /** The connection is gone: nobody waits for an answer any more. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
    this.#count = 0;
    this.#whenAllSent = undefined;
  }

  /** Calls when the last answer that waits now is sent; never where the connection is gone before. */
  whenAllSent(call: () => void): void {
    this.#whenAllSent = call;
  }

  readonly #sendSettled = (): void => {
    for (let first = this.#waiting.first; first !== undefined; first = this.#waiting.first) {
      const { bytes, count, receipt, sent } = first;
      if (receipt?.isSettled === false) return;
      this.#waiting.shift();
      this.#count -= count;
      this.#send(bytes, receipt?.problem, sent);
    }
    const call = this.#whenAllSent;
    this.#whenAllSent = undefined;
    call?.();
  };

  #send(bytes: Uint8Array, problem: BrokerError | undefined, sent: Waiting['sent']): void {
    if (problem === undefined) this.#channel.control(bytes);
    sent?.(problem);
  }
}
