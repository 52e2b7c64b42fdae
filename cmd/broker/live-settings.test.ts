import type { Logger } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { RunningBroker } from '../../pkg/embed/index.ts';
import { invocationOf } from '../cli/run-program.ts';
import { brokerProgram } from './flags.ts';
import { LiveSettings } from './live-settings.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());

const context = { name: 'broker', version: '1', stop: new AbortController().signal };
const readNow = () => invocationOf(brokerProgram, ['-memory', '-stats', '1'], context);

// A broker that was told to read its settings, and to end before it had, logged its counters from then on, and never ended.
it('begin nothing anew that were still being read when the broker ended', async () => {
  const logger = { info: vi.fn(), error: vi.fn() } as unknown as Logger;
  const live = new LiveSettings(await readNow(), logger);
  live.logRatesOf({ stats: () => ({}) } as unknown as RunningBroker);
  expect(vi.getTimerCount()).toBe(1);
  await live.reload(readNow);
  expect(vi.getTimerCount()).toBe(1);
  const reloading = live.reload(readNow);
  live.end();
  await reloading;
  expect([vi.getTimerCount(), vi.mocked(logger.error).mock.calls]).toEqual([0, []]);
});
