import { describe, expect, it } from 'vitest';
import { turn } from '../../../test/support/logs.ts';
import { longestTurnMs } from '../../limits/broker.ts';
import { TurnTime } from './turn-time.ts';

describe('TurnTime', () => {
  it('is over when the work of a turn has taken long, and begins anew with the next turn', async () => {
    let nowMs = 1_000;
    const time = new TurnTime(() => nowMs);
    for (let round = 0; round < 2; round++) {
      time.begin();
      nowMs += longestTurnMs;
      time.look();
      expect(time.isOver).toBe(false);
      time.begin();
      nowMs += 1;
      time.look();
      expect(time.isOver).toBe(true);
      await turn();
      expect(time.isOver).toBe(false);
      nowMs += 1_000;
    }
  });

  it('counts no time before the first work of a turn', async () => {
    let nowMs = 1_000;
    const time = new TurnTime(() => nowMs);
    time.look();
    expect(time.isOver).toBe(false);
    await turn();
    nowMs += 1_000;
    time.look();
    expect(time.isOver).toBe(false);
    nowMs += longestTurnMs + 1;
    time.look();
    expect(time.isOver).toBe(true);
    await turn();
    expect(time.isOver).toBe(false);
  });
});
