/** Syncs files beside other work, a few at a time, in the order in which they are given. */
export class SyncRun {
  /** Resolves when it has come to its end, or to the first error. */
  readonly ended: Promise<void>;
  /** What the disk said. */
  problem: Error | undefined;
  isRunning = true;
  readonly #sync: (path: string) => Promise<void>;
  readonly #left: Set<string>;
  readonly #underWay = new Map<string, Promise<void>>();

  /**
   * @param then is done when all of them are synced, and is part of it.
   */
  constructor(
    paths: Iterable<string>,
    atOnce: number,
    sync: (path: string) => Promise<void>,
    then: () => Promise<void> = async () => {},
  ) {
    this.#left = new Set(paths);
    this.#sync = sync;
    const lanes = Array.from({ length: Math.min(atOnce, this.#left.size) }, () => this.#lane());
    this.ended = Promise.all(lanes)
      .then(async () => {
        if (this.problem === undefined) await then();
      })
      .catch((error: Error) => {
        this.problem ??= error;
      })
      .finally(() => {
        this.isRunning = false;
      });
  }

  /** Those that it has not synced, for whoever has to do it in its place. */
  get left(): Iterable<string> {
    return [...this.#left, ...this.#underWay.keys()];
  }

  /** Whether it has a file still to sync. */
  has(path: string): boolean {
    return this.#left.has(path) || this.#underWay.has(path);
  }

  /** Leaves files to the caller; resolves when nothing here has them open. */
  async leave(paths: readonly string[]): Promise<void> {
    for (const path of paths) this.#left.delete(path);
    await Promise.all(paths.map((path) => this.#underWay.get(path)));
  }

  /** Ends before its end; what it has not synced is {@link left}. */
  async stop(): Promise<void> {
    this.problem ??= new Error('stopped');
    await this.ended;
  }

  async #lane(): Promise<void> {
    for (const path of this.#left) {
      if (this.problem !== undefined) return;
      this.#left.delete(path);
      const syncing = this.#sync(path).catch((error: Error) => {
        this.problem ??= error;
      });
      this.#underWay.set(path, syncing);
      await syncing;
      // One that failed stays: it is not synced.
      if (this.problem === undefined) this.#underWay.delete(path);
    }
  }
}
