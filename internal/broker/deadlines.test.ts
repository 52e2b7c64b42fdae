import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deadlines } from './deadlines.ts';

describe('deadlines', () => {
  it('hand out what is due, earliest first, and keep the rest', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50)), fc.nat(50), (times, now) => {
        const deadlines = new Deadlines<number>();
        for (const time of times) deadlines.add(time, time);
        const sorted = [...times].sort((a, b) => a - b);
        expect([...deadlines.due(now)]).toEqual(sorted.filter((time) => time <= now));
        expect(deadlines.size).toBe(sorted.filter((time) => time > now).length);
        expect([...deadlines.due(50)]).toEqual(sorted.filter((time) => time > now));
      }),
    );
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
});
