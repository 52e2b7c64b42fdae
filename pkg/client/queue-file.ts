import type { CountBit } from '../../internal/protocol/frame/acknowledgements.ts';
import type { Extension } from '../../internal/protocol/frame/extensions.ts';

/** A message that the broker has not acknowledged. */
export interface PromisedMessage {
  readonly count: CountBit;
  readonly topic: string;
  /** The whole frame; its number is not in it. */
  readonly frame: Uint8Array;
  readonly needs: readonly Extension[];
  /** By the clock of the wall: what it says of its expiry counts from here. */
  readonly publishedAtMs: number;
}

/** What waits for acknowledgements, with the count that its numbers come from. */
export interface QueueState {
  /** Which count of QoS 2 goes on, and up to which of its numbers everything has its answer. */
  producer: string;
  acknowledged: number;
  /** In the order in which they were published. */
  messages: readonly PromisedMessage[];
}

/** Keeps beside memory what waits, for the next run of the program. A browser has none. */
export interface QueueFile {
  /** What was there when it was opened; undefined where it is new. */
  readonly kept: QueueState | undefined;
  /** What was found in it that could not be read. */
  readonly problem: Error | undefined;
  /** Whether so much of it says nothing any more, beside messages of so many bytes, that it is worth to be written anew. */
  isWasteful(usedBytes: number): boolean;
  /** @throws QueueFileError: the message is not in the file. */
  add(message: PromisedMessage): void;
  /** So many of the oldest messages of a count have their answers. @throws QueueFileError. */
  answered(count: CountBit, messages: number): void;
  /** Puts this in place of all that is in the file. @throws QueueFileError: what was there is still there. */
  rewrite(state: QueueState): void;
  close(): void;
}
