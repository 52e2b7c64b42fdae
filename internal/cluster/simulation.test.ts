import { describe, expect, it } from 'vitest';
import { simulate } from '../../test/support/cluster-simulation.ts';
import { PipeliningWriter } from '../../test/support/pipelining-writer.ts';
import { rounds } from '../../test/support/torture.ts';
import type { Writer, WriterParts } from './shard-writer.ts';

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
