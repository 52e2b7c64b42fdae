import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KeepAlive } from './keep-alive.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A connection on which `every` says every millisecond what happened. */
function watch(every: (keepAlive: KeepAlive, happened: string[]) => void, isReading = true) {
  const happened: string[] = [];
  let nowMs = 0;
  const keepAlive: KeepAlive = new KeepAlive(1000, () => {}, {
    isReading: () => isReading,
    ask: () => {
      happened.push(`ask at ${nowMs}`);
      keepAlive.sent();
    },
    silent: () => {
      happened.push(`silent at ${nowMs}`);
      keepAlive.stop();
    },
  });
  keepAlive.start();
  return (untilMs: number) => {
    for (; nowMs < untilMs; nowMs++, vi.advanceTimersByTime(1)) every(keepAlive, happened);
    keepAlive.stop();
    return happened;
  };
}

describe('keep-alive', () => {
  it('says nothing while both sides do', () => {
    const run = watch((keepAlive) => {
      keepAlive.heard();
      keepAlive.sent();
    });
    expect(run(10_000)).toEqual([]);
  });

  it('asks before the time has passed, and gives up when no answer comes for as long again', () => {
    expect(watch(() => {})(5000)).toEqual(['ask at 750', 'silent at 1750']);
  });

  it('goes on asking a broker that is silent but answers', () => {
    let asked = 0;
    const run = watch((keepAlive, happened) => {
      if (happened.length > asked) keepAlive.heard();
      asked = happened.length;
    });
    expect(run(2500)).toEqual(['ask at 750', 'ask at 1500', 'ask at 2250']);
  });

  it('asks as often where the client only receives, and does not wait for the answer', () => {
    const asked = watch((keepAlive) => keepAlive.heard())(4000);
    expect(asked).toEqual(['ask at 750', 'ask at 1500', 'ask at 2250', 'ask at 3000', 'ask at 3750']);
  });

  it('does not take a broker for dead while it does not read', () => {
    expect(watch(() => {}, false)(10_000)).not.toContainEqual(expect.stringContaining('silent'));
  });

  it('can be switched off', () => {
    const happened: string[] = [];
    const note = () => happened.push('something');
    const keepAlive = new KeepAlive(0, () => {}, { isReading: () => true, ask: note, silent: note });
    keepAlive.start();
    vi.advanceTimersByTime(1_000_000);
    expect(happened).toEqual([]);
  });
});
