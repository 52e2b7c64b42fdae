import { Fifo } from '../../lib/fifo.ts';
import { messageBytes } from '../delivery/message-bytes.ts';
import type { Message } from '../delivery/publication.ts';
import type { Outgoing } from './outgoing.ts';
import type { WaitingTotal } from './waiting-total.ts';

export interface OutboxLimits {
  /** Messages that wait, beside those that are sent and not acknowledged. */
  queueMessages: number;
  queueBytes: number;
}

/** The bytes that a waiting message counts in its queue beside its own. */
const ENTRY_BYTES = 200;

/** The messages of one session that were not sent yet, in order and within bounds. */
export class WaitingQueue {
  readonly #limits: OutboxLimits;
  readonly #total: WaitingTotal;
  readonly #waiting = new Fifo<Outgoing>();
  #bytes = 0;

  constructor(limits: OutboxLimits, total: WaitingTotal) {
    this.#limits = limits;
    this.#total = total;
  }

  get length(): number {
    return this.#waiting.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How full it is: 1 takes nothing more. */
  get fill(): number {
    if (this.#waiting.length === 0) return 0;
    const { queueMessages, queueBytes } = this.#limits;
    return Math.max(this.#waiting.length / queueMessages, this.#bytes / queueBytes);
  }

  /** Whether a message may not wait here. A queue takes one in any case. */
  isFullFor(message: Message): boolean {
    if (this.#waiting.length === 0) return false;
    const { queueMessages, queueBytes } = this.#limits;
    if (this.#waiting.length >= queueMessages || this.#total.isFull) return true;
    return this.#bytes + sizeOf(message) > queueBytes;
  }

  push(outgoing: Outgoing): void {
    this.#waiting.push(outgoing);
    const bytes = sizeOf(outgoing.message);
    this.#bytes += bytes;
    this.#total.add(outgoing.message, bytes);
  }

  shift(): Outgoing | undefined {
    const outgoing = this.#waiting.shift();
    if (outgoing !== undefined) this.#left(outgoing);
    return outgoing;
  }

  /** Takes out all that meet a condition. */
  takeIf(isWanted: (outgoing: Outgoing) => boolean): Outgoing[] {
    const taken = [...this.#waiting.takeIf(isWanted)];
    for (const outgoing of taken) this.#left(outgoing);
    return taken;
  }

  /** Takes out all of them. */
  takeAll(): Outgoing[] {
    const taken = [...this.#waiting];
    this.#waiting.clear();
    for (const outgoing of taken) this.#left(outgoing);
    return taken;
  }

  #left({ message }: Outgoing): void {
    const bytes = sizeOf(message);
    this.#bytes -= bytes;
    this.#total.remove(message, bytes);
  }
}

function sizeOf(message: Message): number {
  return messageBytes(message) + ENTRY_BYTES;
}
