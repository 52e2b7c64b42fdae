import { describe, expect, it } from 'vitest';
import { MovableClock } from '../../lib/clock.ts';
import { maxHashWaitMs } from '../../limits/access.ts';
import { BusyError, HashQueue } from './hash-queue.ts';

describe('the queue of hashes', () => {
  /** Work that ends when the test says so. */
  function work() {
    const done = Promise.withResolvers<string>();
    const started = Promise.withResolvers<void>();
    return {
      run: () => {
        started.resolve();
        return done.promise;
      },
      started: started.promise,
      end: done.resolve,
    };
  }

  it('does so much at once, in the order of coming, and refuses what is too much', async () => {
    const queue = new HashQueue(1, 1);
    const [first, second] = [work(), work()];
    const answers = [queue.run(first.run), queue.run(second.run)];
    await expect(queue.run(work().run)).rejects.toThrow(BusyError);
    first.end('1');
    await second.started;
    second.end('2');
    expect(await Promise.all(answers)).toEqual(['1', '2']);
    expect(await queue.run(async () => '3')).toBe('3');
  });

  it('goes on after work that fails', async () => {
    const queue = new HashQueue(1, 1);
    const failing = queue.run(() => Promise.reject(new Error('no memory')));
    const next = queue.run(async () => 'done');
    await expect(failing).rejects.toThrow('no memory');
    expect(await next).toBe('done');
  });

  it('does nothing for those who waited so long that nobody waits for the answer', async () => {
    const clock = new MovableClock();
    const queue = new HashQueue(1, 10, clock);
    const [slow, late, timely] = [work(), work(), work()];
    const first = queue.run(slow.run);
    const refused = queue.run(late.run);
    await clock.advance(maxHashWaitMs + 1);
    const last = queue.run(timely.run);
    slow.end('slow');
    await expect(refused).rejects.toThrow(BusyError);
    await timely.started;
    timely.end('timely');
    expect([await first, await last]).toEqual(['slow', 'timely']);
    expect(await queue.run(async () => 'free again')).toBe('free again');
  });
});
