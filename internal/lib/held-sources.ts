/** Whoever can be asked to bring nothing more for a while. */
export interface Pausable {
  pause(): void;
  resume(): void;
}

/** Sources that wait until there is room again: each is paused once, and all go on together. */
export class HeldSources {
  #sources: Set<Pausable> | undefined;

  get isEmpty(): boolean {
    return this.#sources === undefined;
  }

  /** Pauses a source, unless it waits here already. */
  hold(source: Pausable): void {
    this.#sources ??= new Set();
    if (this.#sources.has(source)) return;
    this.#sources.add(source);
    source.pause();
  }

  /** Lets all go on. One that fills the room at once may be held again meanwhile. */
  release(): void {
    const sources = this.#sources;
    if (sources === undefined) return;
    this.#sources = undefined;
    for (const source of sources) source.resume();
  }
}
