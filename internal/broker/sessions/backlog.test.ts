import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Source } from '../delivery/channel.ts';
import { Patience } from '../delivery/patience.ts';
import { Backlog } from './backlog.ts';

const WAIT_MS = 1000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('sessions whose clients acknowledge nothing', () => {
  it('cost a publisher one wait in all', () => {
    const feeder = new PatientSource();
    let waitedMs = 0;
    for (let index = 0; index < 20; index++) {
      const backlog = new Backlog(WAIT_MS);
      backlog.update(0.6);
      expect(backlog.isFull).toBe(true);
      backlog.holdBack(feeder);
      for (; feeder.pauses > 0; waitedMs++) vi.advanceTimersByTime(1);
      // It is full, and waited for no more until it has come down.
      backlog.update(0.7);
      expect(backlog.isFull).toBe(false);
    }
    expect(waitedMs).toBeGreaterThanOrEqual(WAIT_MS);
    expect(waitedMs).toBeLessThan(1.5 * WAIT_MS);
  });

  it('are waited for whenever they come down in time', () => {
    const feeder = new PatientSource();
    const backlog = new Backlog(WAIT_MS);
    for (let index = 0; index < 20; index++) {
      backlog.update(0.6);
      backlog.holdBack(feeder);
      vi.advanceTimersByTime(WAIT_MS - 1);
      expect(feeder.pauses).toBe(1);
      backlog.update(0.2);
      expect(feeder.pauses).toBe(0);
    }
  });
});

class PatientSource implements Source {
  readonly patience = new Patience();
  pauses = 0;

  pause(): void {
    this.pauses++;
  }

  resume(): void {
    this.pauses--;
  }
}
