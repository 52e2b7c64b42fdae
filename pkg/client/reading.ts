import type { Link } from './link.ts';

/**
 * Whether the client reads its connection. Invariant: it reads unless somebody has paused it, and even then as long
 * as an answer is awaited, which only reading can bring, and on its way out, to see that the broker closes too. A
 * new link reads its handshake in any case.
 */
export class Reading {
  #link: Link | undefined;
  #isReading = true;
  #pauses = 0;
  #awaitedAnswers = 0;
  #isLeaving = false;

  get isReading(): boolean {
    return this.#isReading;
  }

  /** Whether somebody wants no messages, though answers may be read. */
  get isPaused(): boolean {
    return this.#pauses > 0;
  }

  /** The broker has let the client in over this link. */
  attach(link: Link): void {
    this.#link = link;
    this.#isReading = true;
    this.#update();
  }

  /** The link is gone. */
  detach(): void {
    this.#link = undefined;
  }

  /** Reads to the end, whoever has paused. */
  leave(): void {
    this.#isLeaving = true;
    this.#update();
  }

  pause(): void {
    this.#pauses++;
    this.#update();
  }

  resume(): void {
    if (this.#pauses > 0) this.#pauses--;
    this.#update();
  }

  /** Waits for an answer of the broker, and reads up to it. */
  async upTo<T>(answer: Promise<T>): Promise<T> {
    this.#awaitedAnswers++;
    this.#update();
    try {
      return await answer;
    } finally {
      this.#awaitedAnswers--;
      this.#update();
    }
  }

  #update(): void {
    const isReading = this.#pauses === 0 || this.#awaitedAnswers > 0 || this.#isLeaving;
    if (this.#link === undefined || isReading === this.#isReading) return;
    this.#isReading = isReading;
    if (isReading) this.#link.resume();
    else this.#link.pause();
  }
}
