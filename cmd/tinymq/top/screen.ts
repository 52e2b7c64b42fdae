import { writeSync } from 'node:fs';

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
/** Terminals that know it show all that is between at once; the others pass over it. */
const BEGIN_UPDATE = '\u001b[?2026h';
const END_UPDATE = '\u001b[?2026l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

const CTRL_C = '\u0003';
const CTRL_Z = '\u001a';

/**
 * The whole terminal, which is given back as it was however the program ends: with its work, by a signal or by an error. Lines are
 * written over those before, so that nothing flickers.
 */
export class Screen implements Disposable {
  readonly #onKey: (key: string) => void;
  readonly #redraw: () => void;
  #isTaken = false;

  /**
   * @param onKey told of each key; `q` for those that end a program.
   * @param redraw asked for when the size is another one, or the program was stopped meanwhile.
   */
  constructor(onKey: (key: string) => void, redraw: () => void) {
    this.#onKey = onKey;
    this.#redraw = redraw;
    process.on('exit', this.#leave);
    process.on('SIGCONT', this.#continue);
    process.stdout.on('resize', redraw);
    process.stdin.on('data', this.#take);
    this.#enter();
  }

  get size(): { width: number; height: number } {
    const { columns, rows } = process.stdout;
    // Some terminals say that they have no size.
    return { width: columns || 80, height: rows || 24 };
  }

  draw(lines: readonly string[]): void {
    const text = lines.map((line) => line + CLEAR_LINE).join('\r\n');
    process.stdout.write(`${BEGIN_UPDATE}${HOME}${text}${CLEAR_BELOW}${END_UPDATE}`);
  }

  [Symbol.dispose](): void {
    this.#leave();
    process.off('exit', this.#leave);
    process.off('SIGCONT', this.#continue);
    process.stdout.off('resize', this.#redraw);
    process.stdin.off('data', this.#take);
    process.stdin.pause();
  }

  #enter(): void {
    if (this.#isTaken) return;
    this.#isTaken = true;
    if (process.stdin.isTTY) process.stdin.setRawMode(true);
    writeSync(process.stdout.fd, ENTER);
  }

  /** At once, as nothing that is queued is written when a process ends. */
  readonly #leave = (): void => {
    if (!this.#isTaken) return;
    this.#isTaken = false;
    try {
      writeSync(process.stdout.fd, LEAVE);
      if (process.stdin.isTTY) process.stdin.setRawMode(false);
    } catch {
      // The terminal is gone.
    }
  };

  readonly #continue = (): void => {
    this.#enter();
    this.#redraw();
  };

  readonly #take = (bytes: Buffer): void => {
    for (const key of bytes.toString()) {
      if (key === CTRL_Z) {
        this.#leave();
        process.kill(process.pid, 'SIGSTOP');
      } else {
        this.#onKey(key === CTRL_C ? 'q' : key);
      }
    }
  };
}
