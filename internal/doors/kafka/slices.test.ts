import { describe, expect, it } from 'vitest';
import { longestTurnMs } from '../../limits/broker.ts';
import { Slices } from './slices.ts';

/** A clock that goes on only by work. */
function openSlices() {
  let nowMs = 0;
  const work = (ms: number) => {
    nowMs += ms;
  };
  return { slices: new Slices(() => nowMs), work };
}

describe('time that requests share', () => {
  it('is over after a while, and there again in the next turn', async () => {
    const { slices, work } = openSlices();
    expect(slices.isOver).toBe(false);
    work(longestTurnMs + 1);
    expect(slices.isOver).toBe(true);
    await new Promise(setImmediate);
    expect(slices.isOver).toBe(false);
  });

  it('is given to short work at once, and later where the turn is over', async () => {
    const { slices, work } = openSlices();
    expect(slices.soon(() => 'now')).toBe('now');
    work(longestTurnMs + 1);
    const later = slices.soon(() => 'later');
    expect(later).toBeInstanceOf(Promise);
    expect(await later).toBe('later');
    work(longestTurnMs + 1);
    await expect(slices.soon(() => JSON.parse('{'))).rejects.toThrow(SyntaxError);
  });

  it('is cut among long works, and short ones go before them', async () => {
    const { slices, work } = openSlices();
    const done: string[] = [];
    expect(slices.isOver).toBe(false);
    const long = async (name: string) => {
      for (let step = 0; step < 3; step++) {
        work(longestTurnMs + 1);
        done.push(`${name}${step}`);
        if (slices.isOver) await slices.turn();
      }
    };
    const both = Promise.all([long('a'), long('b')]);
    await slices.soon(() => done.push('short'));
    expect(done).toEqual(['a0', 'b0', 'short']);
    await both;
    expect(done).toEqual(['a0', 'b0', 'short', 'a1', 'b1', 'a2', 'b2']);
  });

  it('is for one work alone that asks for that, also after one that failed', async () => {
    const { slices } = openSlices();
    const done: string[] = [];
    const failing = slices.alone(async () => {
      done.push('first');
      await slices.turn();
      done.push('first fails');
      throw new Error('no');
    });
    const next = slices.alone(async () => done.push('second'));
    await expect(failing).rejects.toThrow('no');
    await next;
    expect(done).toEqual(['first', 'first fails', 'second']);
  });
});
