import { PartialUnit } from '../partial.ts';
import { FrameCursor } from './cursor.ts';
import type { Frame } from './frame.ts';

/** Receives whole frames: `cursor` points at the fields of one that lies in `bytes`. */
export type FrameSink = (bytes: Uint8Array, cursor: FrameCursor) => void;

/** Turns a stream of chunks, cut anywhere, into whole frames. */
export class FrameDecoder {
  readonly #cursor: FrameCursor;
  readonly #partial = new PartialUnit();

  /** @param maxPayloadBytes the largest payload that is accepted, in bytes. */
  constructor(maxPayloadBytes: number) {
    this.#cursor = new FrameCursor(maxPayloadBytes);
  }

  /**
   * Calls `sink` for each frame that this chunk completes. The bytes may be a view of the chunk.
   *
   * @throws FrameError `payload-too-large`; the stream cannot be read on after that.
   */
  push(chunk: Uint8Array, sink: FrameSink): void {
    let at = 0;
    if (!this.#partial.isEmpty) {
      at = this.#partial.fill(chunk, this.#cursor);
      const whole = this.#partial.takeWhole(this.#cursor);
      if (whole === undefined) return;
      sink(whole, this.#cursor);
    }
    while (this.#cursor.read(chunk, at, chunk.length)) {
      const next = this.#cursor.end;
      sink(chunk, this.#cursor);
      at = next;
    }
    if (at < chunk.length) this.#partial.keep(chunk, at, chunk.length);
  }

  /** The frames that this chunk completes, as values, for callers that need not be fast. */
  frames(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    this.push(chunk, (bytes, cursor) => frames.push(cursor.frame(bytes)));
    return frames;
  }

  /** Whether the bytes so far end between two frames. */
  get isBetweenFrames(): boolean {
    return this.#partial.isEmpty;
  }

  /** Forgets an unfinished frame, for a new connection. */
  reset(): void {
    this.#partial.clear();
  }
}
