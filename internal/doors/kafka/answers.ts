import type { LentMemory } from '../../lib/lent-memory.ts';
import type { Connection } from '../../transport/connection.ts';
import { type Pending, PendingAnswers } from './pending-answers.ts';

/** The answers of one connection: they leave in the order of the requests, those of one turn together. */
export class Answers {
  readonly #connection: Connection;
  readonly #pending = new PendingAnswers();
  #unwritten: Uint8Array[] = [];
  /** The memory that some of it lies in. */
  #lent: LentMemory[] = [];
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
    for (const { chunks: ready, memory } of this.#pending.settle(pending, chunks)) {
      this.write(ready!);
      if (memory !== undefined) this.#lent.push(memory);
    }
  }

  /** Writes at the end of the turn: one commit of the disk answers many requests. */
  write(chunks: readonly Uint8Array[]): void {
    if (chunks.length === 0 || this.#isClosed) return;
    if (this.#unwritten.length === 0) queueMicrotask(() => this.flush());
    this.#unwritten.push(...chunks);
  }

  flush(): void {
    const chunks = this.#unwritten;
    if (chunks.length === 0) return;
    const lent = this.#lent;
    this.#unwritten = [];
    this.#lent = [];
    const written = lent.length === 0 ? undefined : () => giveBack(lent);
    if (!this.#connection.write(chunks, written)) this.#isBlocked = true;
  }

  drained(): void {
    this.#isBlocked = false;
  }

  /** What comes from now on is for nobody; what is unwritten still leaves. */
  close(): void {
    this.#isClosed = true;
  }
}

function giveBack(lent: readonly LentMemory[]): void {
  for (const memory of lent) memory.giveBack();
}
