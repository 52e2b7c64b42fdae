import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { storeReopenAfterMs } from '../limits/store.ts';
import { Availability } from './availability.ts';
import type { StoredState, StoreEvent } from './log-store.ts';

const STATE: StoredState = { topics: [], groups: new Map(), groupMembers: new Map() };

const hasRoom = async () => {};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('tells once that the store failed, tries again ever later, and tells that it works', async () => {
  const results: (Error | StoredState)[] = [new Error('still broken'), STATE];
  const availability = new Availability(async () => {
    const result = results.shift()!;
    if (result instanceof Error) throw result;
    return result;
  }, hasRoom);
  const events: StoreEvent[] = [];
  availability.onEvent((event) => events.push(event));
  await availability.open(async () => STATE);
  availability.fail('disk-full', 'no room');
  availability.fail('failed', 'gone too');
  expect(() => availability.demandReady()).toThrow('the store cannot be written to: gone too');
  availability.demandOpen();

  await vi.advanceTimersByTimeAsync(storeReopenAfterMs);
  expect(availability.refusal().message).toBe('the store cannot be written to: still broken');
  await vi.advanceTimersByTimeAsync(2 * storeReopenAfterMs - 1);
  expect(availability.status).toBe('unavailable');
  await vi.advanceTimersByTimeAsync(1);
  availability.demandReady();
  expect(events).toEqual([
    { kind: 'unavailable', reason: 'no room' },
    { kind: 'recovered', state: STATE },
  ]);
});

it('is closed only after an attempt to open again that is under way', async () => {
  const attempt = Promise.withResolvers<StoredState>();
  const availability = new Availability(() => attempt.promise, hasRoom);
  const events: StoreEvent[] = [];
  await availability.open(async () => STATE);
  availability.fail('failed', 'broken');
  availability.onEvent((event) => events.push(event));
  await vi.advanceTimersByTimeAsync(storeReopenAfterMs);

  let isFree = false;
  const closing = availability.beginClose().then(() => {
    isFree = true;
  });
  expect(() => availability.demandOpen()).toThrow('the store is closed');
  await vi.advanceTimersByTimeAsync(0);
  expect(isFree).toBe(false);
  attempt.resolve(STATE);
  await closing;
  expect(availability.close()).toBe(false);
  expect(events).toEqual([]);
});

it('tries no more after it was closed', async () => {
  const reopen = vi.fn(async () => STATE);
  const availability = new Availability(reopen, hasRoom);
  await availability.open(async () => STATE);
  availability.fail('failed', 'broken');
  await availability.beginClose();
  await vi.runAllTimersAsync();
  expect(reopen).not.toHaveBeenCalled();
});

/* A store on a full disk said again and again that it works, as what it writes to open is small. */
it('does not say that it works before a disk that was full has room for what it writes', async () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  let freeAfter = 2;
  const availability = new Availability(
    async () => STATE,
    async () => {
      if (freeAfter-- > 0) throw full;
    },
  );
  const events: StoreEvent[] = [];
  availability.onEvent((event) => events.push(event));
  await availability.open(async () => STATE);
  availability.fail('disk-full', 'no room');
  await vi.advanceTimersByTimeAsync(storeReopenAfterMs * 3);
  expect(availability.refusal()).toMatchObject({ reason: 'disk-full' });
  await vi.advanceTimersByTimeAsync(storeReopenAfterMs * 4);
  availability.demandReady();
  expect(events.map(({ kind }) => kind)).toEqual(['unavailable', 'recovered']);
});
