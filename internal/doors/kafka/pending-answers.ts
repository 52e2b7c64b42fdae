import { kafkaRequestBytesInFlight, kafkaRequestsInFlight } from '../../limits/kafka.ts';
import type { AnswerMemory } from './handler.ts';

/** A request that has begun and whose answer has not been written. */
export interface Pending extends AnswerMemory {
  /** Whether requests behind this one may begin before it is answered. */
  readonly isConcurrent: boolean;
  readonly bytes: number;
  /** The answer with its size, empty for none; undefined until it is known. */
  chunks: readonly Uint8Array[] | undefined;
}

/** The requests of one connection that have begun. Answers leave in the order of the requests, whichever is known first. */
export class PendingAnswers {
  readonly #pending: Pending[] = [];
  #bytes = 0;

  get size(): number {
    return this.#pending.length;
  }

  /** Whether a request may begin now: next to those that are under way, or because there are none. */
  mayBegin(isConcurrent: boolean): boolean {
    const last = this.#pending.at(-1);
    if (last === undefined) return true;
    return (
      isConcurrent &&
      last.isConcurrent &&
      this.#pending.length < kafkaRequestsInFlight &&
      this.#bytes < kafkaRequestBytesInFlight
    );
  }

  begin(isConcurrent: boolean, bytes: number): Pending {
    const pending = { isConcurrent, bytes, chunks: undefined, memory: undefined };
    this.#pending.push(pending);
    this.#bytes += bytes;
    return pending;
  }

  /** Remembers an answer; returns those that may leave now. */
  settle(pending: Pending, chunks: readonly Uint8Array[]): readonly Pending[] {
    pending.chunks = chunks;
    const unknown = this.#pending.findIndex((each) => each.chunks === undefined);
    const ready = this.#pending.splice(0, unknown < 0 ? this.#pending.length : unknown);
    for (const { bytes } of ready) this.#bytes -= bytes;
    return ready;
  }
}
