import { describe, expect, it } from 'vitest';
import { type Flushable, Turn } from './turn.ts';

describe('Turn', () => {
  it('calls everybody once, in order, after the work of the turn', async () => {
    const turn = new Turn();
    const calls: string[] = [];
    turn.add(called(calls, 'a'));
    turn.add(called(calls, 'b'));
    expect(calls).toEqual([]);
    await endOfTurn();
    expect(calls).toEqual(['a', 'b']);
    await endOfTurn();
    expect(calls).toEqual(['a', 'b']);
  });

  it('keeps for the next turn what is added while it calls', async () => {
    const turn = new Turn();
    const calls: string[] = [];
    let rounds = 3;
    const again: Flushable = {
      flush() {
        calls.push('again');
        if (--rounds > 0) turn.add(again);
      },
    };
    turn.add(again);
    turn.add(called(calls, 'once'));
    await endOfTurn();
    expect(calls).toEqual(['again', 'once']);
    await endOfTurn();
    await endOfTurn();
    await endOfTurn();
    expect(calls).toEqual(['again', 'once', 'again', 'again']);
  });
});

function called(calls: string[], name: string): Flushable {
  return { flush: () => calls.push(name) };
}

function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
