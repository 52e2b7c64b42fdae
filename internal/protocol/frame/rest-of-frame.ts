import { CLIENT_ID_LENGTH_BYTES } from './frame.ts';

/**
 * Passes over what follows the header of a PUBLISH that is too large: its payload and its client id, wherever the chunks
 * are cut. It keeps none of these bytes.
 */
export class RestOfFrame {
  /** Bytes of the payload, later of the client id, that have not arrived. */
  #missingBytes: number;
  #lengthBytesSeen = 0;
  #clientIdBytes = 0;

  constructor(payloadBytes: number) {
    this.#missingBytes = payloadBytes;
  }

  get isPassed(): boolean {
    return this.#lengthBytesSeen === CLIENT_ID_LENGTH_BYTES && this.#missingBytes === 0;
  }

  /** Passes over what has arrived between `at` and `limit`, and returns where that ends. */
  pass(bytes: Uint8Array, at: number, limit: number): number {
    let next = this.#passMissing(at, limit);
    while (next < limit && this.#missingBytes === 0 && this.#lengthBytesSeen < CLIENT_ID_LENGTH_BYTES) {
      this.#clientIdBytes = (this.#clientIdBytes << 8) | bytes[next++];
      if (++this.#lengthBytesSeen < CLIENT_ID_LENGTH_BYTES) continue;
      this.#missingBytes = this.#clientIdBytes;
      next = this.#passMissing(next, limit);
    }
    return next;
  }

  #passMissing(at: number, limit: number): number {
    const passed = Math.min(this.#missingBytes, limit - at);
    this.#missingBytes -= passed;
    return at + passed;
  }
}
