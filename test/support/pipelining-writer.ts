import type { WriteId } from '../../internal/cluster/messages.ts';
import type { Writer, WriterEnd, WriterParts } from '../../internal/cluster/shard-writer.ts';
import type { ShardMessage } from '../../internal/cluster/stream.ts';
import { StoreError } from '../../internal/store/store-error.ts';

/**
 * What a writer may not do: it sends each message at once, with the sequence that the one before will have. The marker of another owner
 * may get that very sequence.
 */
export class PipeliningWriter implements Writer {
  readonly epoch: number;
  waiting = 0;
  readonly waitingBytes = 0;
  readonly #parts: WriterParts;
  readonly #waiting = new Map<
    number,
    { resolve: (sequence: number) => void; reject: (error: Error) => void }
  >();
  #expected: number;
  #number = 1;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.epoch = parts.epoch;
    this.#expected = parts.tail;
  }

  write(make: (id: WriteId) => ShardMessage): Promise<number> {
    const number = this.#number++;
    const message = make({ epoch: this.epoch, number });
    const expected = this.#expected++;
    void this.#send(message, expected);
    return new Promise((resolve, reject) => this.#waiting.set(number, { resolve, reject }));
  }

  async #send(message: ShardMessage, expected: number): Promise<void> {
    const outcome = await this.#parts.stream.publish([message], expected);
    if (outcome.kind === 'stored') this.#parts.takeUp([{ ...message, sequence: outcome.last }]);
    else this.end('stuck', new StoreError('unavailable', 'not stored'));
  }

  async settled(): Promise<void> {}

  stored(number: number, sequence: number): void {
    this.#waiting.get(number)?.resolve(sequence);
    this.#waiting.delete(number);
  }

  passedOver(): void {}

  end(end: WriterEnd, reason: StoreError): void {
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
    this.#parts.ended(end);
  }
}
