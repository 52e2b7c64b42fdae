import type { CountBit } from '../../internal/protocol/frame/acknowledgements.ts';
import type { PromisedMessage, QueueFile, QueueState } from './queue-file.ts';

/** A disk that is full is not tried again sooner: writing anew may be long. */
const RETRY_MS = 1_000;

export interface KeepingEvents {
  /** What waits now. */
  state(): QueueState;
  /** Bytes of the messages that wait. */
  usedBytes(): number;
  failed(error: Error): void;
}

/**
 * Keeps a file in step with what waits. What cannot be added is told to its publisher. What cannot be noted of messages that have their
 * answers makes the file stale: it has more than waits, and takes nothing until it was written anew. A program that ends before
 * sends that again, which is no fault of at least once, and is known to the broker where it is exactly once.
 */
export class Keeping {
  readonly #file: QueueFile;
  readonly #events: KeepingEvents;
  #isStale: boolean;
  /** Why it could not be written anew, and until when that is not tried again. */
  #refusal: { error: unknown; untilMs: number } | undefined;

  constructor(file: QueueFile, events: KeepingEvents) {
    this.#file = file;
    this.#events = events;
    this.#isStale = file.kept === undefined;
  }

  /** Writes what the file does not have. @throws QueueFileError. */
  begin(): void {
    if (this.#isStale) this.#rewrite();
  }

  /** @throws QueueFileError: the message is not kept. */
  add(message: PromisedMessage): void {
    this.begin();
    this.#file.add(message);
  }

  /** So many of the oldest messages of a count have their answers. */
  answered(count: CountBit, messages: number): void {
    if (this.#isStale) {
      this.changed();
      return;
    }
    try {
      this.#file.answered(count, messages);
      if (this.#file.isWasteful(this.#events.usedBytes())) this.#rewrite();
    } catch (error) {
      this.#isStale = true;
      this.#events.failed(error as Error);
    }
  }

  /** What waits is another than the file says. */
  changed(): void {
    this.#isStale = true;
    const isTold = this.#isRefused;
    try {
      this.#rewrite();
    } catch (error) {
      if (!isTold) this.#events.failed(error as Error);
    }
  }

  close(): void {
    if (this.#isStale) this.changed();
    this.#file.close();
  }

  get #isRefused(): boolean {
    return this.#refusal !== undefined && performance.now() < this.#refusal.untilMs;
  }

  #rewrite(): void {
    if (this.#isRefused) throw this.#refusal!.error;
    try {
      this.#file.rewrite(this.#events.state());
      this.#isStale = false;
      this.#refusal = undefined;
    } catch (error) {
      this.#refusal = { error, untilMs: performance.now() + RETRY_MS };
      throw error;
    }
  }
}
