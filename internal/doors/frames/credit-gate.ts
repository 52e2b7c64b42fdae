import type { Sink } from '../../broker/delivery/channel.ts';
import { Fifo } from '../../lib/fifo.ts';
import { ANY_CREDIT, type Credit } from '../../protocol/frame/acknowledgements.ts';
import { FrameCursor } from '../../protocol/frame/cursor.ts';
import { FrameType, MAX_PAYLOAD_BYTES, RESERVED_TYPE_BITS } from '../../protocol/frame/frame.ts';

/**
 * Stands before the connection of a client that gives credit: messages pass on credit, in their order, and everything else passes
 * always. What comes in one write and has no credit waits here; meanwhile the gate wants no more messages, so the channel of the
 * client treats it as one that does not read.
 */
export class CreditGate implements Sink {
  readonly wantsWhole = true;
  readonly #connection: Sink;
  readonly #cursor = new FrameCursor(MAX_PAYLOAD_BYTES);
  readonly #held = new Fifo<Uint8Array>();
  #messages = 0;
  /** Below 0 after a message that took more than was left. */
  #bytes = 0;
  /** Whether the connection wants to wait. */
  #isFull = false;

  constructor(connection: Sink) {
    this.#connection = connection;
  }

  /** Messages that wait here. */
  get waiting(): number {
    return this.#held.length;
  }

  get takesAnswers(): boolean {
    return this.#held.length > 0 && !this.#isFull;
  }

  write(buffers: readonly Uint8Array[]): boolean {
    const passing: Uint8Array[] = [];
    for (const bytes of buffers) this.#sort(bytes, passing);
    return this.#pass(passing);
  }

  /** The client takes more. Whether the gate wants messages, which it did not before. */
  give({ messages, bytes }: Credit): boolean {
    this.#messages += messages === ANY_CREDIT ? Number.POSITIVE_INFINITY : messages;
    this.#bytes += bytes === ANY_CREDIT ? Number.POSITIVE_INFINITY : bytes;
    if (this.#held.length === 0) return false;
    const passing: Uint8Array[] = [];
    while (this.#held.first !== undefined && this.#spend(this.#held.first.length)) {
      passing.push(this.#held.shift()!);
    }
    return this.#pass(passing);
  }

  /** The connection has room again. Whether the gate wants messages. */
  drained(): boolean {
    this.#isFull = false;
    return this.#held.length === 0;
  }

  /** Whether more messages are wanted. */
  #pass(buffers: readonly Uint8Array[]): boolean {
    if (buffers.length > 0 && !this.#connection.write(buffers)) this.#isFull = true;
    return this.#held.length === 0 && !this.#isFull;
  }

  /** Takes out of whole frames what has to wait. */
  #sort(bytes: Uint8Array, passing: Uint8Array[]): void {
    const cursor = this.#cursor;
    let passed = 0;
    for (let at = 0; at < bytes.length && cursor.read(bytes, at, bytes.length); at = cursor.end) {
      const { type, end } = cursor;
      if (!isMessage(type) || (this.#held.length === 0 && this.#spend(end - at))) continue;
      if (at > passed) passing.push(bytes.subarray(passed, at));
      this.#held.push(independent(bytes.subarray(at, end)));
      passed = end;
    }
    if (passed < bytes.length) passing.push(bytes.subarray(passed));
  }

  /** Whether there is credit for a message. It may take more bytes than are left. */
  #spend(bytes: number): boolean {
    if (this.#messages < 1 || this.#bytes < 1) return false;
    this.#messages--;
    this.#bytes -= bytes;
    return true;
  }
}

function isMessage(type: number): boolean {
  const kind = type & ~RESERVED_TYPE_BITS;
  return kind === FrameType.publish || kind === FrameType.replayed;
}

/** What waits does not keep alive a buffer that it is a small part of. */
function independent(bytes: Uint8Array): Uint8Array {
  return bytes.length < bytes.buffer.byteLength / 2 ? new Uint8Array(bytes) : bytes;
}
