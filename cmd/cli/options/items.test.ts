import { expect, it } from 'vitest';
import { itemsOf } from './items.ts';

it('items of a list have no spaces around them, and none is empty', () => {
  expect(itemsOf(['nats://a:4222, nats://b:4222', ' nats://c:4222,'])).toEqual([
    'nats://a:4222',
    'nats://b:4222',
    'nats://c:4222',
  ]);
});
