const EVERY_BYTES = 64 * 1024;

/**
 * The standard output for many small pieces: gathered while a turn of the event loop lasts and written at once, and
 * with a way to know when whoever reads it cannot keep up.
 */
export class Output {
  #pieces: (string | Uint8Array)[] = [];
  #bytes = 0;
  #isScheduled = false;
  #isBlocked = false;
  /** Who waits for room. */
  readonly #waiting: (() => void)[] = [];
  readonly #stream: NodeJS.WritableStream;
  readonly #pause: () => void;
  readonly #resume: () => void;

  /**
   * @param pause called when the reader cannot keep up.
   * @param resume called when it has caught up.
   */
  constructor(stream: NodeJS.WritableStream, pause = () => {}, resume = () => {}) {
    this.#stream = stream;
    this.#pause = pause;
    this.#resume = resume;
    stream.on('drain', () => {
      if (!this.#isBlocked) return;
      this.#isBlocked = false;
      this.#resume();
      for (const resolve of this.#waiting.splice(0)) resolve();
    });
  }

  write(piece: string | Uint8Array): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes >= EVERY_BYTES) {
      this.flush();
    } else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(() => this.flush());
    }
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#pieces.length === 0) return;
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#bytes = 0;
    const isText = pieces.every((piece) => typeof piece === 'string');
    const joined = isText
      ? pieces.join('')
      : Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)));
    if (this.#stream.write(joined) || this.#isBlocked) return;
    this.#isBlocked = true;
    this.#pause();
  }

  /** Resolves when the reader has caught up; undefined where nobody has to wait. */
  get room(): Promise<void> | undefined {
    if (!this.#isBlocked) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when everything has left this process. */
  end(): Promise<void> {
    this.flush();
    return new Promise((resolve) => this.#stream.write('', () => resolve()));
  }
}
