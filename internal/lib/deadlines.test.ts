import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deadlines } from './deadlines.ts';

describe('deadlines', () => {
  it('hand out each value at its earliest time, and keep the rest', () => {
    const entry = fc.record({ value: fc.nat(5), atMs: fc.nat(50) });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 400 }), fc.nat(50), (entries, now) => {
        const deadlines = new Deadlines<number>();
        const times = new Map<number, number>();
        for (const { value, atMs } of entries) {
          deadlines.add(atMs, value);
          times.set(value, Math.min(times.get(value) ?? atMs, atMs));
        }
        const due = [...deadlines.due(now)].map((value) => times.get(value)!);
        const sorted = [...times.values()].sort((a, b) => a - b);
        expect(due).toEqual(sorted.filter((time) => time <= now));
        expect(deadlines.size).toBe(sorted.filter((time) => time > now).length);
        const later = [...deadlines.due(50)].map((value) => times.get(value)!);
        expect(later).toEqual(sorted.filter((time) => time > now));
      }),
    );
  });

  it('hand out nothing that was deleted, and put off everything by the same', () => {
    const deadlines = new Deadlines<number>();
    for (let value = 0; value < 1_000; value++) deadlines.add(value, value);
    for (let value = 0; value < 990; value++) deadlines.delete(value);
    expect([deadlines.size, deadlines.firstAtMs]).toEqual([10, 990]);
    deadlines.putOff(100);
    expect([...deadlines.due(1_089)]).toEqual([]);
    deadlines.delete(991);
    deadlines.add(1_090, 991);
    expect([...deadlines.due(1_091)].sort()).toEqual([990, 991]);
    deadlines.clear();
    expect(deadlines.firstAtMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('may be added to while they are handed out', () => {
    const deadlines = new Deadlines<number>();
    deadlines.add(1, 1);
    const seen: number[] = [];
    for (const value of deadlines.due(3)) {
      seen.push(value);
      if (value < 5) deadlines.add(value + 1, value + 1);
    }
    expect(seen).toEqual([1, 2, 3]);
  });

  it('hand out a value that was put off when it was first asked for, and again when it is', () => {
    const deadlines = new Deadlines<string>();
    for (let atMs = 10; atMs < 20; atMs++) deadlines.add(atMs, 'a');
    expect([...deadlines.due(12)]).toEqual(['a']);
    expect([...deadlines.due(100)]).toEqual([]);
    deadlines.add(30, 'a');
    expect([...deadlines.due(29)]).toEqual([]);
    expect([...deadlines.due(30)]).toEqual(['a']);
  });
});
