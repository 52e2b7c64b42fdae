import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planOwners } from './plan-owners.ts';

const node = fc.integer({ min: 1, max: 6 });
const owners = fc.array(fc.option(node, { nil: undefined }), { minLength: 1, maxLength: 20 });
const candidates = fc.uniqueArray(node, { minLength: 1 });

const countOf = (plan: readonly number[], wanted: number) => plan.filter((each) => each === wanted).length;

describe('who is to own a shard', () => {
  it.each([
    ['a node on its own gets all', [undefined, undefined, undefined], [7], [7, 7, 7]],
    ['three that start get as many', Array(8).fill(undefined), [1, 2, 3], [1, 2, 3, 1, 2, 3, 1, 2]],
    ['what is even stays', [3, 3, 2, 2, 1, 1, 1, 3], [1, 2, 3], [3, 3, 2, 2, 1, 1, 1, 3]],
    ['a new one takes the last shards', [1, 1, 1, 1, 2, 2, 2, 2], [1, 2, 3], [1, 1, 1, 3, 2, 2, 2, 3]],
    ['those of one that ended go to all', [1, undefined, 2, undefined, 1, 2], [1, 2], [1, 1, 2, 2, 1, 2]],
    ['who is no candidate gets no more', [1, 1, 1, 1, 2], [1], [1, 1, 1, 1, 2]],
  ])('%s', (_name, before, nodes, after) => {
    expect(planOwners(before, nodes)).toEqual(after);
  });

  it('no candidate owns two less than another node, and moves are no more than that takes', () => {
    fc.assert(
      fc.property(owners, candidates, (before, nodes) => {
        const plan = planOwners(before, nodes);
        const all = new Set([...plan, ...nodes]);
        const most = Math.max(...[...all].map((each) => countOf(plan, each)));
        for (const each of nodes) expect(most - countOf(plan, each)).toBeLessThan(2);
        // Nobody both gives and takes.
        for (const [shard, owner] of before.entries()) {
          if (owner === undefined || plan[shard] === owner) continue;
          expect(plan.some((to, other) => to === owner && before[other] !== owner)).toBe(false);
        }
      }),
    );
  });

  it('is so for all who know the same, and is kept when it has come about', () => {
    fc.assert(
      fc.property(owners, candidates, (before, nodes) => {
        const plan = planOwners(before, nodes);
        expect(planOwners(before, [...nodes].reverse())).toEqual(plan);
        expect(planOwners(plan, nodes)).toEqual(plan);
      }),
    );
  });
});
