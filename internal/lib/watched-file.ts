import { closeSync, fstatSync, openSync, readFileSync, type Stats, stat } from 'node:fs';
import { type Clock, type ClockTimer, systemClock } from './clock.ts';
import { systemReason } from './system-reason.ts';

/** What became of a look at a file that had changed. */
export interface WatchedFileOutcome {
  readonly file: string;
  /** Undefined where the new content holds from now on. */
  readonly error?: Error;
}

/**
 * The content of a file, read again when it changes. What cannot be read or does not parse never replaces what holds.
 * Looking at the file now and then survives what notifications do not: files that are replaced, and links that are
 * switched to another folder.
 */
export class WatchedFile<T> {
  readonly #file: string;
  readonly #parse: (text: string) => T;
  readonly #report: (outcome: WatchedFileOutcome) => void;
  readonly #timer: ClockTimer;
  #current: T;
  /** What tells the file that was looked at last from a later one. */
  #seen = '';
  #problem: string | undefined;
  #isClosed = false;

  /** @throws Error with a sentence that names the file, where it does not work at the start. */
  constructor(
    file: string,
    parse: (text: string) => T,
    watchMs: number,
    report: (outcome: WatchedFileOutcome) => void,
    clock: Clock = systemClock,
  ) {
    this.#file = file;
    this.#parse = parse;
    this.#report = report;
    this.#current = this.#read();
    this.#timer = clock.every(watchMs, () => stat(file, (_, found) => this.#look(found)));
  }

  get current(): T {
    return this.#current;
  }

  /** Reads the file now. */
  reload(): void {
    try {
      this.#current = this.#read();
    } catch (error) {
      this.#tell(error as Error);
      return;
    }
    this.#tell(undefined);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer.cancel();
  }

  /** What goes on as it was is told once. */
  #tell(error: Error | undefined): void {
    if (error !== undefined && error.message === this.#problem) return;
    this.#problem = error?.message;
    this.#report({ file: this.#file, error });
  }

  /** @param found undefined where there is no file at the moment: it is being replaced, or gone. */
  #look(found: Stats | undefined): void {
    const seen = found === undefined ? 'gone' : markOf(found);
    if (this.#isClosed || seen === this.#seen) return;
    this.reload();
    if (found === undefined) this.#seen = seen;
  }

  #read(): T {
    const text = this.#text();
    try {
      return this.#parse(text);
    } catch (error) {
      throw new Error(`${this.#file} does not work: ${(error as Error).message}`);
    }
  }

  /** The text, and the mark of the very file that it was read from. */
  #text(): string {
    let descriptor: number | undefined;
    try {
      descriptor = openSync(this.#file, 'r');
      this.#seen = markOf(fstatSync(descriptor));
      return readFileSync(descriptor, 'utf8');
    } catch (error) {
      // Tried again at the next look: the process may have had no descriptor left.
      this.#seen = '';
      throw new Error(`cannot read ${this.#file}: ${systemReason(error)}`);
    } finally {
      if (descriptor !== undefined) closeSync(descriptor);
    }
  }
}

function markOf({ ino, size, mtimeMs }: Stats): string {
  return `${ino} ${size} ${mtimeMs}`;
}
