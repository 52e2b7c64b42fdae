import { readFileSync } from 'node:fs';
import { type Clock, systemClock } from './clock.ts';
import { FileChanges } from './file-changes.ts';
import { systemReason } from './system-reason.ts';

/** What became of a look at a file that had changed. */
export interface WatchedFileOutcome {
  readonly file: string;
  /** Undefined where the new content holds from now on. */
  readonly error?: Error;
}

/** The content of a file, read again when it changes. What cannot be read or does not parse never replaces what holds. */
export class WatchedFile<T> {
  readonly #file: string;
  readonly #parse: (text: string) => T;
  readonly #report: (outcome: WatchedFileOutcome) => void;
  readonly #changes: FileChanges;
  #current: T;
  #problem: string | undefined;

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
    this.#changes = new FileChanges([file], watchMs, () => this.reload(), clock);
    try {
      this.#current = parsed(file, textOf(file), parse);
    } catch (error) {
      this.#changes.close();
      throw error;
    }
  }

  get current(): T {
    return this.#current;
  }

  /** Reads the file now. False where it could not be read, as the process may have had no descriptor left. */
  reload(): boolean {
    let text: string;
    try {
      text = textOf(this.#file);
    } catch (error) {
      this.#tell(error as Error);
      return false;
    }
    try {
      this.#current = parsed(this.#file, text, this.#parse);
      this.#tell(undefined);
    } catch (error) {
      this.#tell(error as Error);
    }
    return true;
  }

  close(): void {
    this.#changes.close();
  }

  /** What goes on as it was is told once. */
  #tell(error: Error | undefined): void {
    if (error !== undefined && error.message === this.#problem) return;
    this.#problem = error?.message;
    this.#report({ file: this.#file, error });
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`cannot read ${file}: ${systemReason(error)}`);
  }
}

function parsed<T>(file: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    throw new Error(`${file} does not work: ${(error as Error).message}`);
  }
}
