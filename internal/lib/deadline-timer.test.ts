import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from './clock.ts';
import { DeadlineTimer } from './deadline-timer.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('deadlines on a timer', () => {
  it('are due in the order of their times', () => {
    const deadlines = new DeadlineTimer(systemClock);
    const due: string[] = [];
    for (const [name, afterMs] of [
      ['c', 30],
      ['a', 10],
      ['d', 40],
      ['b', 20],
    ] as const) {
      deadlines.add(() => due.push(name)).set(afterMs);
    }
    vi.advanceTimersByTime(29);
    expect(due).toEqual(['a', 'b']);
    vi.advanceTimersByTime(11);
    expect(due).toEqual(['a', 'b', 'c', 'd']);
    expect(deadlines.size).toBe(0);
  });

  it('take one timer, however often one is put off', () => {
    const deadlines = new DeadlineTimer(systemClock);
    const due = vi.fn();
    const deadline = deadlines.add(due);
    for (let heartbeat = 0; heartbeat < 1000; heartbeat++) deadline.set(1000 + heartbeat);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(1998);
    expect(due).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(due).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('can be moved forward, but not by who only wants it no later', () => {
    const deadlines = new DeadlineTimer(systemClock);
    const due = vi.fn();
    const deadline = deadlines.add(due);
    deadline.set(1000);
    deadline.setNoLaterThan(2000);
    deadline.setNoLaterThan(10);
    vi.advanceTimersByTime(10);
    expect(due).toHaveBeenCalledOnce();
    deadline.setNoLaterThan(5);
    vi.advanceTimersByTime(5);
    expect(due).toHaveBeenCalledTimes(2);
  });

  it('may be set again when they are due', () => {
    const deadlines = new DeadlineTimer(systemClock);
    let count = 0;
    const deadline = deadlines.add(() => {
      count++;
      deadline.set(0);
      if (count === 5) deadline.clear();
    });
    deadline.set(1);
    vi.advanceTimersByTime(100);
    expect(count).toBe(5);
  });

  // A broker that was stopped for a minute found all sessions over before it had read the heartbeats that waited for it.
  it('do not count the time in which the process did not run', () => {
    const clock = performance.now.bind(performance);
    let lostMs = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => clock() + lostMs);
    const deadlines = new DeadlineTimer(systemClock);
    const due: string[] = [];
    for (const [name, afterMs] of [
      ['a', 10_000],
      ['b', 20_000],
    ] as const) {
      deadlines.add(() => due.push(name)).set(afterMs);
    }
    vi.advanceTimersByTime(5_000);
    lostMs = 60_000;
    vi.advanceTimersByTime(4_999);
    expect(due).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(due).toEqual(['a']);
    vi.advanceTimersByTime(10_000);
    expect(due).toEqual(['a', 'b']);
    vi.restoreAllMocks();
  });

  it('hold nothing back when they are closed', () => {
    const deadlines = new DeadlineTimer(systemClock);
    const due = vi.fn();
    const deadline = deadlines.add(due);
    deadline.set(1);
    deadlines.close();
    expect([deadline.isSet, deadlines.size, vi.getTimerCount()]).toEqual([false, 0, 0]);
    vi.advanceTimersByTime(10);
    expect(due).not.toHaveBeenCalled();
  });

  it('are due when a plain list says so, whatever is set, cleared and waited for', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('set' as const), which: fc.nat(7), ms: fc.nat(60) }),
      fc.record({ kind: fc.constant('noLater' as const), which: fc.nat(7), ms: fc.nat(60) }),
      fc.record({ kind: fc.constant('clear' as const), which: fc.nat(7), ms: fc.constant(0) }),
      fc.record({ kind: fc.constant('wait' as const), which: fc.constant(0), ms: fc.nat(40) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const deadlines = new DeadlineTimer(systemClock);
        const due: number[] = [];
        const model: (number | undefined)[] = Array.from({ length: 8 });
        const expected: number[] = [];
        const all = model.map((_, index) => deadlines.add(() => due.push(index)));
        let nowMs = 0;
        for (const { kind, which, ms } of steps) {
          const at = nowMs + ms;
          if (kind === 'set') model[which] = at;
          if (kind === 'noLater') model[which] = Math.min(model[which] ?? at, at);
          if (kind === 'clear') model[which] = undefined;
          if (kind === 'set') all[which].set(ms);
          if (kind === 'noLater') all[which].setNoLaterThan(ms);
          if (kind === 'clear') all[which].clear();
          if (kind !== 'wait') continue;
          nowMs = at;
          vi.advanceTimersByTime(ms);
          model.forEach((dueAt, index) => {
            if (dueAt === undefined || dueAt > nowMs) return;
            expected.push(index);
            model[index] = undefined;
          });
          expect(due.sort()).toEqual(expected.sort());
        }
        expect(deadlines.size).toBe(model.filter((dueAt) => dueAt !== undefined).length);
        deadlines.close();
      }),
    );
  });
});
