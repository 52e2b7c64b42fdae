import { describe, expect, it, vi } from 'vitest';
import { type Clock, MovableClock, systemClock } from './clock.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

describe.each<[string, () => Clock]>([
  ['the clock of the machine', () => systemClock],
  ['a clock that can be moved', () => new MovableClock()],
])('%s', (_, make) => {
  it('tells the time of day in whole milliseconds', () => {
    const clock = make();
    const before = Date.now();
    expect(Number.isInteger(clock.now())).toBe(true);
    expect(clock.now()).toBeGreaterThanOrEqual(before - 1);
  });

  it('calls once, and again and again, and not what was cancelled', async () => {
    const clock = make();
    const calls: string[] = [];
    clock.after(0, () => calls.push('cancelled')).cancel();
    await new Promise<void>((resolve) => {
      const every = clock.every(1, () => {
        calls.push('every');
        if (calls.filter((call) => call === 'every').length < 3) return;
        every.cancel();
        clock.after(1, resolve);
      });
    });
    expect(calls).toEqual(['every', 'every', 'every']);
  });
});

/** The runtime's timers hold 31 bits: `setTimeout` of a month calls at once. */
it('waits for more than the 25 days that the timers of the runtime hold', () => {
  vi.useFakeTimers();
  try {
    const run = vi.fn();
    systemClock.after(60 * DAY_MS, run);
    vi.advanceTimersByTime(60 * DAY_MS - 1);
    expect(run).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(run).toHaveBeenCalledTimes(1);
  } finally {
    vi.useRealTimers();
  }
});

describe('moving a clock', () => {
  it('calls what is due in its order, each at its own time', async () => {
    const clock = new MovableClock(0);
    const calls: [string, number][] = [];
    const note = (name: string) => () => calls.push([name, Math.floor(clock.now() / 1000)]);
    clock.after(50_000, note('late'));
    clock.after(10_000, note('early'));
    const every = clock.every(20_000, note('every'));
    clock.after(90_000, note('not yet'));
    await clock.advance(65_000);
    every.cancel();
    expect(calls).toEqual([
      ['early', 10],
      ['every', 20],
      ['every', 40],
      ['late', 50],
      ['every', 60],
    ]);
  });

  it('lets what a call began go on before the next, which may be started by it', async () => {
    const clock = new MovableClock();
    const steps: string[] = [];
    clock.after(1_000, async () => {
      await new Promise(setImmediate);
      steps.push('written');
      clock.after(1_000, () => steps.push('again'));
    });
    clock.after(5_000, () => steps.push('last'));
    await clock.advance(10_000);
    expect(steps).toEqual(['written', 'again', 'last']);
  });

  it('moves the time of day and the time that only grows by the same', async () => {
    const clock = new MovableClock(1_000_000);
    const before = clock.elapsedMs();
    await clock.advance(30 * DAY_MS);
    expect(clock.now()).toBeGreaterThanOrEqual(1_000_000 + 30 * DAY_MS);
    expect(clock.elapsedMs() - before).toBeGreaterThanOrEqual(30 * DAY_MS);
    expect(clock.elapsedMs() - before).toBeLessThan(30 * DAY_MS + 60_000);
  });

  it('calls a timer of a moment once, and one that is cancelled meanwhile never', async () => {
    const clock = new MovableClock();
    const run = vi.fn();
    const never = vi.fn();
    const later = clock.after(2_000, never);
    clock.after(1_000, () => {
      run();
      later.cancel();
    });
    await clock.advance(5_000);
    await clock.advance(5_000);
    expect(run).toHaveBeenCalledTimes(1);
    expect(never).not.toHaveBeenCalled();
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('refuses to move by %s', async (ms) => {
    await expect(new MovableClock().advance(ms)).rejects.toThrow(RangeError);
  });
});
