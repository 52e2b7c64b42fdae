import type { Connection } from '../../transport/connection.ts';
import { type Pending, PendingAnswers } from './pending-answers.ts';

/** The answers of one connection: they leave in the order of the requests, those of one turn together. */
export class Answers {
  readonly #connection: Connection;
  readonly #pending = new PendingAnswers();
  #unwritten: Uint8Array[] = [];
  #isBlocked = false;
  #isClosed = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** How many requests wait for theirs. */
  get waiting(): number {
    return this.#pending.size;
  }

  /** Whether the socket takes no more for the moment. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Whether nobody is answered any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether a request may begin now: next to those that are under way, or because there are none. */
  mayBegin(isConcurrent: boolean): boolean {
    return this.#pending.mayBegin(isConcurrent);
  }

  begin(isConcurrent: boolean, bytes: number): Pending {
    return this.#pending.begin(isConcurrent, bytes);
  }

  /** Keeps an answer until those before it are there, and writes what is. */
  settle(pending: Pending, chunks: readonly Uint8Array[]): void {
    this.write(this.#pending.settle(pending, chunks));
  }

  /** Writes at the end of the turn: one commit of the disk answers many requests. */
  write(chunks: readonly Uint8Array[]): void {
    if (chunks.length === 0 || this.#isClosed) return;
    if (this.#unwritten.length === 0) queueMicrotask(() => this.flush());
    this.#unwritten.push(...chunks);
  }

  flush(): void {
    const chunks = this.#unwritten;
    this.#unwritten = [];
    if (chunks.length > 0 && !this.#connection.write(chunks)) this.#isBlocked = true;
  }

  drained(): void {
    this.#isBlocked = false;
  }

  /** What comes from now on is for nobody; what is unwritten still leaves. */
  close(): void {
    this.#isClosed = true;
  }
}
