import { afterEach, describe, expect, it, vi } from 'vitest';
import { giveAgainMs } from '../limits/cluster.ts';
import { Claims, type ClaimsParts } from './claims.ts';

/** A node that owns the only shard, beside others that take nothing. */
function owner() {
  const others: number[] = [];
  let given = 0;
  const shard = {
    leader: 'here',
    state: { owner: 1 },
    stepDown: async () => {
      given++;
    },
  };
  const peers = { hasBegun: true, candidates: () => [1, ...others], isLeaving: false, isDeaf: false };
  const claims = new Claims({ self: 1, shards: [shard], peers } as unknown as ClaimsParts);
  return {
    others,
    claims,
    /** How often it gave the shard away, after it looked again. */
    async given(): Promise<number> {
      claims.look();
      await vi.advanceTimersByTimeAsync(0);
      return given;
    },
    [Symbol.dispose]: () => claims.close(),
  };
}

describe('a shard that a better node does not take', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is not given to that one again for a while, and to another one at once', async () => {
    vi.useFakeTimers();
    using node = owner();
    expect(await node.given()).toBe(0);
    let next = 2;
    const untilBetter = async (count: number) => {
      while ((await node.given()) < count) node.others.push(next++);
    };
    await untilBetter(1);
    expect(await node.given()).toBe(1);
    // As each restart of a node makes one: for them it stays where it is no longer than for the first one.
    await untilBetter(2);
    await vi.advanceTimersByTimeAsync(giveAgainMs - 1);
    expect(await node.given()).toBe(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(await node.given()).toBe(3);
  });
});
