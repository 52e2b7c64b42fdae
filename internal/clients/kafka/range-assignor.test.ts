import fc from 'fast-check';
import { expect, it } from 'vitest';
import { assignRanges } from './range-assignor.ts';

it('shares as the assignor of Kafka', () => {
  const members = [
    { memberId: 'b', topics: ['t', 'u'] },
    { memberId: 'a', topics: ['t'] },
  ];
  const counts = new Map([
    ['t', 3],
    ['u', 1],
    ['nobody wants it', 1],
  ]);
  expect(Object.fromEntries(assignRanges(members, counts))).toEqual({
    a: [
      { topic: 't', partition: 0 },
      { topic: 't', partition: 1 },
    ],
    b: [
      { topic: 't', partition: 2 },
      { topic: 'u', partition: 0 },
    ],
  });
});

it('gives every partition to one member, and no member two more than another', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 9 }), fc.nat(50), (ids, count) => {
      const members = ids.map((memberId) => ({ memberId, topics: ['t'] }));
      const shares = [...assignRanges(members, new Map([['t', count]])).values()];
      const given = shares.flat().map(({ partition }) => partition);
      expect(given.sort((one, other) => one - other)).toEqual([...Array(count).keys()]);
      const sizes = shares.map((share) => share.length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }),
  );
});
