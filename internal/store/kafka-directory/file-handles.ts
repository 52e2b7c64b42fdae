import { type FileHandle, open } from 'node:fs/promises';

interface Held {
  opening: Promise<FileHandle>;
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
    const held = this.#held.get(path) ?? { opening: open(path, this.#flags), users: 0, isForgotten: false };
    this.#held.delete(path);
    this.#held.set(path, held);
    held.users++;
    try {
      return await work(await held.opening);
    } catch (error) {
      await this.#dropUnopened(path, held);
      throw error;
    } finally {
      held.users--;
      if (held.isForgotten) await this.#closeUnused(held);
      else await this.#evict();
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

  async #evict(): Promise<void> {
    if (this.#held.size <= this.#maxOpen) return;
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

  /** A file that could not be opened is tried again the next time. */
  async #dropUnopened(path: string, held: Held): Promise<void> {
    const isOpen = await held.opening.then(
      () => true,
      () => false,
    );
    if (!isOpen && this.#held.get(path) === held) this.#held.delete(path);
  }
}
