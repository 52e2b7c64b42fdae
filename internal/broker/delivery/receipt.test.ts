import { expect, it } from 'vitest';
import { BrokerError } from '../../errors.ts';
import { Receipt, SAFE, UNKNOWN } from './receipt.ts';

it('is settled when everybody who holds it has let it go, with the first problem', () => {
  const receipt = new Receipt();
  const called: string[] = [];
  receipt.whenSettled(() => called.push('nobody'));
  expect([receipt.isSettled, called]).toEqual([true, ['nobody']]);
  receipt.hold();
  receipt.hold();
  receipt.hold();
  receipt.whenSettled(() => called.push('one'));
  receipt.whenSettled(() => called.push('two'));
  receipt.letGo();
  receipt.letGo(new BrokerError('too-many-logs'));
  expect([receipt.isSettled, called.length]).toEqual([false, 1]);
  receipt.letGo(new BrokerError('store-unavailable'));
  expect([receipt.isSettled, called]).toEqual([true, ['nobody', 'one', 'two']]);
  expect(receipt.problem?.code).toBe('too-many-logs');
});

it('says of messages that nobody keeps, and of those of an earlier run, what is known', () => {
  expect([SAFE.isSettled, SAFE.isLost, SAFE.problem]).toEqual([true, false, undefined]);
  expect([UNKNOWN.isSettled, UNKNOWN.isLost]).toEqual([true, true]);
});
