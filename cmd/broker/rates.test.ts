import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Logger, RunningBroker } from '../../pkg/embed/index.ts';
import { logRates } from './rates.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
afterEach(() => void vi.useRealTimers());

it('logs how fast the counters grew, until it is ended', () => {
  let received = 100;
  const broker = { stats: () => ({ messages_received_total: received, clients: 2 }) };
  const info = vi.fn();
  const end = logRates(broker as unknown as RunningBroker, 2_000, { info } as unknown as Logger);
  received = 600;
  vi.advanceTimersByTime(2_000);
  expect(info).toHaveBeenLastCalledWith(
    expect.objectContaining({ received: 600, receivedPerSecond: 250, deliveredPerSecond: 0, clients: 2 }),
    'rates',
  );
  vi.advanceTimersByTime(2_000);
  expect(info).toHaveBeenLastCalledWith(expect.objectContaining({ receivedPerSecond: 0 }), 'rates');
  end();
  vi.advanceTimersByTime(10_000);
  expect(info).toHaveBeenCalledTimes(2);
});
