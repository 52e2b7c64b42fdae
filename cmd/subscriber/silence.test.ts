import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Silence } from './silence.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('calls back once nothing happened for so long', () => {
  const callback = vi.fn();
  const silence = new Silence(1_000, callback);
  vi.advanceTimersByTime(900);
  silence.broken();
  vi.advanceTimersByTime(900);
  expect(callback).not.toHaveBeenCalled();
  vi.advanceTimersByTime(100);
  expect(callback).toHaveBeenCalledOnce();
});

it('never calls back where no time is set', () => {
  const callback = vi.fn();
  new Silence(undefined, callback).broken();
  vi.advanceTimersByTime(1e9);
  expect(callback).not.toHaveBeenCalled();
});
