import { expect, it } from 'vitest';
import { NO_ITEMS, withNewest } from './newest.ts';

it('the newest are in front, bounded, and all of them are counted', () => {
  const two = withNewest(NO_ITEMS, [1, 2], 3);
  expect(two).toEqual({ items: [2, 1], total: 2 });
  expect(withNewest(two, [3, 4], 3)).toEqual({ items: [4, 3, 2], total: 4 });
  expect(withNewest(two, [3, 4, 5, 6], 3)).toEqual({ items: [6, 5, 4], total: 6 });
});
