import { describe, expect, it } from 'vitest';
import { handOverBytes, mostHandOverBytes } from '../../limits/broker.ts';
import { Portion } from './portion.ts';

const MiB = 2 ** 20;

/** A socket that takes its portions for a while, one each so many milliseconds. */
function take(portion: Portion, fromMs: number, forMs: number, everyMs: number): number {
  let nowMs = fromMs;
  for (; nowMs < fromMs + forMs; nowMs += everyMs) portion.took(portion.bytes, nowMs);
  return nowMs;
}

// Each portion is a call of the system and a turn of the runtime. With 256 KiB at a time a subscriber that took 150 MB in a
// second cost the broker a fifth more for each message than with all that waited.
describe('the portion that a socket gets at once', () => {
  it('grows for one that takes much without a rest, to a bound', () => {
    const portion = new Portion();
    take(portion, 0, 1_000, 2);
    expect(portion.bytes).toBe(mostHandOverBytes);
    take(portion, 1_000, 1_000, 2);
    expect(portion.bytes).toBe(mostHandOverBytes);
  });

  it('stays small for one whose buffers take much at once and which then takes little', () => {
    const portion = new Portion();
    for (let taken = 0; taken < 8 * MiB; taken += handOverBytes) portion.took(handOverBytes, 0);
    expect(portion.bytes).toBe(handOverBytes);
    take(portion, 0, 60_000, 200);
    expect(portion.bytes).toBe(handOverBytes);
  });

  it('is small again after a second in which the socket took little', () => {
    const portion = new Portion();
    const nowMs = take(portion, 0, 2_000, 2);
    portion.took(1_000, nowMs + 1_000);
    expect(portion.bytes).toBe(handOverBytes);
  });

  it('is a whole number of bytes, whatever was taken', () => {
    const portion = new Portion();
    for (let nowMs = 0; nowMs < 500; nowMs += 3) {
      portion.took(777_777, nowMs);
      expect(Number.isInteger(portion.bytes)).toBe(true);
    }
    expect(portion.bytes).toBeGreaterThan(handOverBytes);
  });
});
