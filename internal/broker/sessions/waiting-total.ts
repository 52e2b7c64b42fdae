import { messageBytes } from '../delivery/message-bytes.ts';
import type { Message } from '../delivery/publication.ts';

/** The approximate bookkeeping of a message in each session that it waits in: the session's and the store's. */
const ENTRY_BYTES = 700;

/**
 * The messages waiting in all sessions together, roughly as they lie in memory: a message once, however many sessions it waits in,
 * and an entry for each of them.
 */
export class WaitingTotal {
  readonly #mostBytes: number;
  /** How many sessions each message waits in. */
  readonly #sessions = new Map<Message, number>();
  #bytes = 0;
  #messages = 0;
  #queueBytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many wait: one that waits in several sessions counts in each of them. */
  get messages(): number {
    return this.#messages;
  }

  /** The sum of what each queue counts. */
  get queueBytes(): number {
    return this.#queueBytes;
  }

  /** Whether a session takes one message at most, and only clients that keep up get more than that. */
  get isFull(): boolean {
    return this.#bytes > this.#mostBytes;
  }

  /** A message waits in one session more, whose queue counts so many bytes for it. */
  add(message: Message, queueBytes: number): void {
    this.#messages++;
    this.#queueBytes += queueBytes;
    const sessions = this.#sessions.get(message);
    if (sessions === undefined) this.#bytes += messageBytes(message);
    this.#sessions.set(message, (sessions ?? 0) + 1);
    this.#bytes += ENTRY_BYTES;
  }

  /** A message that {@link add} counted waits in one session less. */
  remove(message: Message, queueBytes: number): void {
    this.#messages--;
    this.#queueBytes -= queueBytes;
    const sessions = this.#sessions.get(message)!;
    if (sessions > 1) {
      this.#sessions.set(message, sessions - 1);
    } else {
      this.#sessions.delete(message);
      this.#bytes -= messageBytes(message);
    }
    this.#bytes -= ENTRY_BYTES;
  }
}
