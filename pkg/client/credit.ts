import { ANY_CREDIT, encodeCredit } from '../../internal/protocol/frame/acknowledgements.ts';
import type { Agreement } from './agreement.ts';

/** Bytes of messages that are on their way at most: enough to keep a connection of 40 MB/s busy whose answers take 100 ms. */
export const CREDIT_BYTES = 4 * 1024 * 1024;
/** So much is given back at once, or there would be a frame for each chunk. */
const GIVEN_BYTES = CREDIT_BYTES / 4;

/**
 * Bounds what a broker sends to a client that cannot stop reading, by the extension `flow`: what the client has taken is given back as
 * credit, and while it is paused nothing is.
 */
export class Credit {
  readonly #send: (frame: Uint8Array) => void;
  readonly #isPaused: () => boolean;
  #isAgreed = false;
  #takenBytes = 0;

  constructor(send: (frame: Uint8Array) => void, isPaused: () => boolean) {
    this.#send = send;
    this.#isPaused = isPaused;
  }

  /** A new connection begins without any. @returns what is sent on it. */
  attach(agreement: Agreement): Uint8Array[] {
    this.#isAgreed = agreement.has('flow');
    this.#takenBytes = 0;
    return this.#isAgreed ? [encodeCredit({ messages: ANY_CREDIT, bytes: CREDIT_BYTES })] : [];
  }

  /** Frames of messages of so many bytes came. */
  taken(bytes: number): void {
    this.#takenBytes += bytes;
    if (this.#takenBytes >= GIVEN_BYTES) this.give();
  }

  /** Gives back what was taken, if it is enough. */
  give(): void {
    if (!this.#isAgreed || this.#takenBytes < GIVEN_BYTES || this.#isPaused()) return;
    this.#send(encodeCredit({ messages: 0, bytes: this.#takenBytes }));
    this.#takenBytes = 0;
  }
}
