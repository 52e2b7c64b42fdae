import { describe, expect, it } from 'vitest';
import { HeldSources } from './held-sources.ts';

function counting(onResume = () => {}) {
  const source = {
    pauses: 0,
    pause: () => void source.pauses++,
    resume() {
      source.pauses--;
      onResume();
    },
  };
  return source;
}

describe('held sources', () => {
  it('are paused once and go on together', () => {
    const held = new HeldSources();
    const sources = [counting(), counting()];
    for (const source of [...sources, ...sources]) held.hold(source);
    expect([held.isEmpty, ...sources.map(({ pauses }) => pauses)]).toEqual([false, 1, 1]);
    held.release();
    held.release();
    expect([held.isEmpty, ...sources.map(({ pauses }) => pauses)]).toEqual([true, 0, 0]);
  });

  it('may be held again while they are let go', () => {
    const held = new HeldSources();
    const greedy = counting(() => held.hold(greedy));
    held.hold(greedy);
    held.release();
    expect([held.isEmpty, greedy.pauses]).toEqual([false, 1]);
  });
});
