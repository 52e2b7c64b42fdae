import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { grpcUnsentBytes, grpcUnsentPatienceMs } from '../../limits/grpc.ts';
import { Unsent } from './unsent.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
afterEach(() => void vi.useRealTimers());

function sender(unsent: Unsent) {
  const self = { evict: vi.fn(() => unsent.forget(self)) };
  return self;
}

it('counts what goes out and is taken', () => {
  const unsent = new Unsent();
  const [a, b] = [sender(unsent), sender(unsent)];
  unsent.hold(a, 10);
  unsent.hold(a, 5);
  unsent.hold(b, 3);
  unsent.release(a, 10);
  expect(unsent.bytes).toBe(8);
  unsent.forget(a);
  unsent.forget(a);
  unsent.release(a, 5);
  expect(unsent.bytes).toBe(3);
});

it('has room below the limit, and lets those who wait go on when there is again', async () => {
  const unsent = new Unsent();
  const a = sender(unsent);
  expect(unsent.room()).toBeUndefined();
  unsent.hold(a, grpcUnsentBytes);
  const waited = vi.fn();
  const waiting = [unsent.room()!.then(waited), unsent.room()!.then(waited)];
  await Promise.resolve();
  expect(waited).not.toHaveBeenCalled();
  unsent.release(a, 1);
  await Promise.all(waiting);
  expect(waited).toHaveBeenCalledTimes(2);
});

it('ends calls that take nothing, where others wait, and no others', async () => {
  const unsent = new Unsent();
  const [stuck, slow, small] = [sender(unsent), sender(unsent), sender(unsent)];
  unsent.hold(stuck, grpcUnsentBytes);
  unsent.hold(slow, 1_000_000);
  unsent.hold(small, 1_000);
  vi.advanceTimersByTime(10 * grpcUnsentPatienceMs);
  expect(stuck.evict).not.toHaveBeenCalled();

  unsent.release(slow, 1);
  const room = unsent.room();
  vi.advanceTimersByTime(1_000);
  await room;
  expect(stuck.evict).toHaveBeenCalledOnce();
  expect(slow.evict).not.toHaveBeenCalled();
  expect(small.evict).not.toHaveBeenCalled();
});
