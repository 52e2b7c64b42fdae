import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { gatherAtMostMs, gatherShare } from '../../limits/store.ts';
import { Gathering } from './gathering.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const SYNC_MS = gatherAtMostMs;
const PATIENCE_MS = SYNC_MS * gatherShare;

/** A group of four was answered while one more came. */
function answered(): Gathering {
  const gathering = new Gathering();
  gathering.answered(4, 1, SYNC_MS);
  return gathering;
}

describe('the next group', () => {
  it('waits until all who were answered have come again', async () => {
    const gathering = answered();
    const ready = vi.fn();
    const until = gathering.untilGathered(1)!.then(ready);
    gathering.came(4);
    await Promise.resolve();
    expect(ready).not.toHaveBeenCalled();
    gathering.came(5);
    await until;
    expect(ready).toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not wait where they are there, where that was long ago, or before any group', () => {
    expect(answered().untilGathered(5)).toBeUndefined();
    expect(new Gathering().untilGathered(1)).toBeUndefined();
    const late = answered();
    vi.advanceTimersByTime(PATIENCE_MS);
    expect(late.untilGathered(1)).toBeUndefined();
  });

  it('waits for no longer than a part of a sync, and not where nobody came the last time', async () => {
    const gathering = answered();
    const first = gathering.untilGathered(1)!;
    vi.advanceTimersByTime(PATIENCE_MS);
    await first;
    const passed = (): number => {
      for (let count = 0; ; count++) {
        gathering.answered(4, 1, SYNC_MS);
        if (gathering.untilGathered(1) !== undefined) return count;
      }
    };
    expect(passed()).toBe(2);
    vi.advanceTimersByTime(PATIENCE_MS);
    expect(passed()).toBe(4);
    gathering.came(5);
    expect(passed()).toBe(0);
    vi.advanceTimersByTime(PATIENCE_MS);
    expect(passed()).toBe(2);
  });
});
