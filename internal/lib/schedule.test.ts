import { expect, it } from 'vitest';
import { MovableClock } from './clock.ts';
import { Schedule } from './schedule.ts';

it('hands out values of all kinds at their times, and sets one timer', async () => {
  const clock = new MovableClock();
  const schedule = new Schedule(clock);
  const due: string[] = [];
  const startMs = clock.now();
  const kind = (name: string) =>
    schedule.kind<string>((value, nowMs) =>
      due.push(`${name} ${value} at ${Math.floor((nowMs - startMs) / 1_000)}`),
    );
  const [wills, ends] = [kind('will'), kind('end')] as const;
  ends.add(startMs + 5_000, 'a');
  wills.add(startMs + 2_000, 'a');
  // A day that is far away, and what is put off.
  ends.add(startMs + 40 * 24 * 3_600_000, 'b');
  ends.add(startMs + 9_000, 'a');
  await clock.advance(1_000);
  expect(due).toEqual([]);
  await clock.advance(1_500);
  expect(due).toEqual(['will a at 2']);
  await clock.advance(3_000);
  expect(due).toEqual(['will a at 2', 'end a at 5']);
  await clock.advance(40 * 24 * 3_600_000);
  expect(due.slice(2)).toEqual([`end b at ${40 * 24 * 3_600}`]);
  schedule.close();
});

it('takes what is added while something is handed out, once, and nothing after its end', async () => {
  const clock = new MovableClock();
  const schedule = new Schedule(clock);
  let count = 0;
  const again = schedule.kind<string>((value, nowMs) => {
    count++;
    again.add(nowMs, value);
  });
  again.add(clock.now() - 1_000, 'overdue');
  // Each time is one look, not one that never ends.
  await expect.poll(() => count).toBeGreaterThan(2);
  schedule.close();
  const before = count;
  await clock.advance(60_000);
  expect(count).toBe(before);
});
