import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { atMost } from './at-most.ts';

it('does so much at a time and no more, and gives the results in the order of the items', async () => {
  let underWay = 0;
  let most = 0;
  const squares = await atMost(3, [5, 1, 4, 2, 3], async (item) => {
    most = Math.max(most, ++underWay);
    await sleep(item);
    underWay--;
    return item * item;
  });
  expect(squares).toEqual([25, 1, 16, 4, 9]);
  expect(most).toBe(3);
  expect(await atMost(3, [], async () => 1)).toEqual([]);
});

it('throws the first error when nothing is under way any more, and begins nothing behind it', async () => {
  const ended: number[] = [];
  const begun: number[] = [];
  const failing = atMost(2, [1, 2, 3, 4], async (item) => {
    begun.push(item);
    if (item === 1) throw new Error('no room');
    await sleep(5);
    ended.push(item);
  });
  await expect(failing).rejects.toThrow('no room');
  expect({ begun, ended }).toEqual({ begun: [1, 2], ended: [2] });
});
