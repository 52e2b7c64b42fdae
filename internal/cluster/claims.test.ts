import { afterEach, describe, expect, it, vi } from 'vitest';
import { giveAgainMs } from '../limits/cluster.ts';
import { Claims, type ClaimsParts } from './claims.ts';

/** A node that owns two shards, beside others that take nothing. */
function owner() {
  const others: number[] = [];
  let given = 0;
  const shard = () => ({
    leader: 'here',
    state: { owner: 1 },
    stepDown: async () => {
      given++;
    },
  });
  const peers = {
    ...{ hasBegun: true, isLeaving: false, isDeaf: false },
    candidates: () => [1, ...others],
    isGone: () => false,
  };
  const claims = new Claims({ self: 1, shards: [shard(), shard()], peers } as unknown as ClaimsParts);
  return {
    others,
    claims,
    /** How often it gave a shard away, after it looked again. */
    async given(): Promise<number> {
      claims.look();
      await vi.advanceTimersByTimeAsync(0);
      return given;
    },
    [Symbol.dispose]: () => claims.close(),
  };
}

describe('a shard that another node does not take', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('goes to another one at once, and for a while not to that one again', async () => {
    vi.useFakeTimers();
    using node = owner();
    expect(await node.given()).toBe(0);
    node.others.push(2);
    expect(await node.given()).toBe(1);
    expect(await node.given()).toBe(1);
    // As each restart of a node makes one: for them it stays where it is no longer than for the first one.
    node.others.push(3);
    expect(await node.given()).toBe(2);
    await vi.advanceTimersByTimeAsync(giveAgainMs - 1);
    expect(await node.given()).toBe(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(await node.given()).toBe(4);
  });
});
