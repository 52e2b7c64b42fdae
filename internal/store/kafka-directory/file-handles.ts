import { type FileHandle, open } from 'node:fs/promises';

interface Held {
  opening: Promise<FileHandle>;
  /** When it is open. */
  handle: FileHandle | undefined;
  users: number;
  isForgotten: boolean;
}

/** Open files by path, a bounded number of them: the one that was used longest ago is closed first. */
export class FileHandles {
  readonly #flags: string;
  readonly #maxOpen: number;
  /** In the order of their last use. */
  readonly #held = new Map<string, Held>();

  /** @param flags as of `open`: `r`, `r+`… */
  constructor(flags: string, maxOpen: number) {
    this.#flags = flags;
    this.#maxOpen = maxOpen;
  }

  /** Runs `work` with the open file, which stays open until it is done. */
  async use<T>(path: string, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    const held = this.#held.get(path) ?? this.#open(path);
    this.#held.delete(path);
    this.#held.set(path, held);
    held.users++;
    try {
      return await work(held.handle ?? (await held.opening));
    } catch (error) {
      // One that could not be opened is tried again the next time.
      if (held.handle === undefined && this.#held.get(path) === held) this.#held.delete(path);
      throw error;
    } finally {
      held.users--;
      if (held.isForgotten) await this.#closeUnused(held);
      else if (this.#held.size > this.#maxOpen) await this.#evict();
    }
  }

  /** The file of this path is going away or another will take its place: closes it as soon as nobody uses it. */
  async forget(path: string): Promise<void> {
    const held = this.#held.get(path);
    if (held === undefined) return;
    this.#held.delete(path);
    held.isForgotten = true;
    await this.#closeUnused(held);
  }

  /** Closes everything, as soon as nobody uses it. */
  async close(): Promise<void> {
    for (const path of [...this.#held.keys()]) await this.forget(path);
  }

  #open(path: string): Held {
    const held: Held = {
      opening: open(path, this.#flags).then((handle) => (held.handle = handle)),
      handle: undefined,
      users: 0,
      isForgotten: false,
    };
    return held;
  }

  async #evict(): Promise<void> {
    for (const [path, { users }] of this.#held) {
      if (users > 0) continue;
      await this.forget(path);
      return;
    }
  }

  async #closeUnused(held: Held): Promise<void> {
    if (held.users > 0) return;
    await (await held.opening.catch(() => undefined))?.close().catch(() => {});
  }
}
