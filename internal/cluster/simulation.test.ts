import { describe, expect, it } from 'vitest';
import { simulate } from '../../test/support/cluster-simulation.ts';
import { rounds } from '../../test/support/torture.ts';
import { StoreError } from '../store/store-error.ts';
import type { WriteId } from './messages.ts';
import type { Writer, WriterEnd, WriterParts } from './shard-writer.ts';
import type { ShardMessage } from './stream.ts';

describe('the owners of a shard, on a stream that behaves badly', () => {
  it('lose nothing, write nothing twice, and never behind the marker of another', async () => {
    const schedules = rounds(2_000, 10_000);
    let acknowledged = 0;
    let unacknowledged = 0;
    for (let seed = 1; seed <= schedules; seed++) {
      const simulated = await simulate(seed);
      expect(simulated.problems, `seed ${seed}`).toEqual([]);
      acknowledged += simulated.acknowledged;
      unacknowledged += simulated.unacknowledged;
    }
    // Neither a stream that is always well nor one that does nothing would show anything.
    expect(acknowledged).toBeGreaterThan(10 * schedules);
    expect(unacknowledged).toBeGreaterThan(schedules);
  });

  // What a writer may not do: the marker of another owner may get the very sequence that it expects.
  it('would be found to write behind the marker of another if they named sequences that they expect', async () => {
    const found = await firstProblem((parts) => new PipeliningWriter(parts));
    expect(found).toMatch(/wrote behind the marker/);
  });
});

async function firstProblem(makeWriter: (parts: WriterParts) => Writer): Promise<string | undefined> {
  for (let seed = 1; seed <= 2_000; seed++) {
    const { problems } = await simulate(seed, makeWriter);
    const fence = problems.find((problem) => problem.includes('behind the marker'));
    if (fence !== undefined) return fence;
  }
  return undefined;
}

/** Sends each message at once, with the sequence that the one before will have. */
class PipeliningWriter implements Writer {
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

  end(end: WriterEnd, reason: StoreError): void {
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
    this.#parts.ended(end);
  }
}
