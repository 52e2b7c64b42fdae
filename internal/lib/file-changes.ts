import { type Stats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Clock, ClockTimer } from './clock.ts';

/**
 * Looks at files now and then, and tells when one of them is another than before. Looking survives what notifications do not:
 * files that are replaced, and links that are switched to another folder.
 */
export class FileChanges {
  readonly #files: readonly string[];
  readonly #changed: () => boolean;
  readonly #timer: ClockTimer;
  /** What tells the files that were dealt with from later ones. */
  #handled: string;
  #isLooking = false;
  #isClosed = false;

  /**
   * What is read after this is not missed when it changes.
   *
   * @param changed returns whether that is dealt with; where not, it is called again at the next look.
   */
  constructor(files: readonly string[], everyMs: number, changed: () => boolean, clock: Clock) {
    this.#files = files;
    this.#changed = changed;
    this.#handled = files.map((file) => markOf(foundNow(file))).join();
    this.#timer = clock.every(everyMs, () => void this.#look());
  }

  close(): void {
    this.#isClosed = true;
    this.#timer.cancel();
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const found = await Promise.all(this.#files.map((file) => stat(file).catch(() => undefined)));
    this.#isLooking = false;
    const marks = found.map(markOf).join();
    if (this.#isClosed || marks === this.#handled) return;
    this.#handled = this.#changed() ? marks : '';
  }
}

function foundNow(file: string): Stats | undefined {
  try {
    return statSync(file);
  } catch {
    // Whoever reads it says why not.
    return undefined;
  }
}

/** @param found undefined where there is no file at the moment: it is being replaced, or gone. */
function markOf(found: Stats | undefined): string {
  return found === undefined ? 'gone' : `${found.ino} ${found.size} ${found.mtimeMs}`;
}
