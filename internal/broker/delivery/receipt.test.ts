import { expect, it } from 'vitest';
import { BrokerError } from '../../errors.ts';
import { Receipt } from './receipt.ts';

it('tells everybody who waits when all who hold it have let it go, and of the first problem', async () => {
  const receipt = new Receipt();
  const called: string[] = [];
  const wait = (name: string) => receipt.whenSettled((problem) => called.push(`${name}: ${problem?.code}`));
  wait('nobody');
  expect([receipt.isUsed, ...called]).toEqual([false, 'nobody: undefined']);
  receipt.hold();
  receipt.hold();
  expect([receipt.isUsed, receipt.isSettled]).toEqual([true, false]);
  wait('one');
  wait('two');
  receipt.letGo(new BrokerError('store-unavailable', 'full'));
  expect(called).toHaveLength(1);
  receipt.letGo(new BrokerError('too-many-logs', 'later'));
  expect(called.slice(1)).toEqual(['one: store-unavailable', 'two: store-unavailable']);
  await receipt.settled();
});
