import { printableText } from '../../../internal/lib/printable.ts';
import type { ImportProgress } from '../../../internal/store/import.ts';

/** How often the line is written anew on a terminal, and how often there is another one elsewhere. */
const TERMINAL_EVERY_MS = 100;
const PIPE_EVERY_MS = 5_000;

/** Shows how far a copy has come, on the standard error: one line on a terminal, else one from time to time. */
export class Progress {
  /** Bytes that are there by now. */
  copiedBytes = 0;
  readonly #stream: NodeJS.WriteStream;
  readonly #isQuiet: boolean;
  readonly #now: () => number;
  #shownAt: number;
  #hasLine = false;

  /** @param now a clock in milliseconds. */
  constructor(stream: NodeJS.WriteStream, isQuiet: boolean, now = () => performance.now()) {
    this.#stream = stream;
    this.#isQuiet = isQuiet;
    this.#now = now;
    this.#shownAt = now();
  }

  show({ topic, partition, copiedBytes, totalBytes }: ImportProgress): void {
    this.copiedBytes = copiedBytes;
    this.tell(() => {
      const amounts = `${megabytes(copiedBytes)} of ${megabytes(totalBytes)} MB`;
      return `${printableText(topic)} [${partition}]: ${amounts} (${percentOf(copiedBytes, totalBytes)} %)`;
    });
  }

  /** Shows a line where it is time for one. */
  tell(line: () => string): void {
    const { isTTY } = this.#stream;
    const now = this.#now();
    if (this.#isQuiet || now - this.#shownAt < (isTTY ? TERMINAL_EVERY_MS : PIPE_EVERY_MS)) return;
    this.#shownAt = now;
    this.#stream.write(isTTY ? `\r\u001b[K${line()}` : `${line()}\n`);
    this.#hasLine = isTTY;
  }

  /** Ends the line that was written anew. */
  end(): void {
    if (this.#hasLine) this.#stream.write('\r\u001b[K');
    this.#hasLine = false;
  }
}

/** How much of a whole is done, in whole percent; nothing to do is all of it. */
export function percentOf(done: number, of: number): number {
  return of === 0 ? 100 : Math.floor((100 * done) / of);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
