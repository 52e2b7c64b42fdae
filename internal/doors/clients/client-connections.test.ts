import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeConnection } from '../../../test/support/fake-connection.ts';
import { systemClock } from '../../lib/clock.ts';
import { deadlineSweepMs } from '../../limits/doors.ts';
import { type ConnectionFacts, Connections } from '../../observe/connections.ts';
import { Metrics } from '../../observe/metrics.ts';
import { FrameCursor } from '../../protocol/frame/cursor.ts';
import { ClientConnections } from './client-connections.ts';
import { Intake } from './intake.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const SILENCE_MS = 60_000;
/** How far the clock has gone beyond the timers: time in which nothing ran. */
let stoppedMs = 0;

beforeEach(() => {
  stoppedMs = 0;
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  const { now } = performance;
  vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + stoppedMs);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe('the deadlines of clients', () => {
  it('end for who does not introduce itself, and for who falls silent', () => {
    const { connections, client } = setUp();
    const unknown = client(false);
    const silent = client(true);
    vi.advanceTimersByTime(CONNECT_TIMEOUT_MS - deadlineSweepMs);
    expect(unknown.refused).toBeUndefined();
    vi.advanceTimersByTime(2 * deadlineSweepMs);
    expect(unknown.refused).toBe('connect-timeout');
    connections.delete(unknown);
    vi.advanceTimersByTime(SILENCE_MS - CONNECT_TIMEOUT_MS - 3 * deadlineSweepMs);
    expect(silent.refused).toBeUndefined();
    vi.advanceTimersByTime(3 * deadlineSweepMs);
    expect(silent.refused).toBe('keepalive-timeout');
  });

  it('do not come nearer while the broker itself does not run', () => {
    const { client } = setUp();
    const unknown = client(false);
    const silent = client(true);
    vi.advanceTimersByTime(CONNECT_TIMEOUT_MS / 2);
    stoppedMs = 10 * SILENCE_MS;
    // Until the half that was left is over.
    vi.advanceTimersByTime(CONNECT_TIMEOUT_MS / 2 - deadlineSweepMs);
    expect([unknown.refused, silent.refused]).toEqual([undefined, undefined]);
    vi.advanceTimersByTime(2 * deadlineSweepMs);
    expect([unknown.refused, silent.refused]).toEqual(['connect-timeout', undefined]);
    vi.advanceTimersByTime(SILENCE_MS);
    expect(silent.refused).toBe('keepalive-timeout');
  });

  it('come nearer while it is only busy', () => {
    const { client } = setUp();
    const unknown = client(false);
    for (let passedMs = 0; passedMs < CONNECT_TIMEOUT_MS; passedMs += 2 * deadlineSweepMs) {
      stoppedMs += deadlineSweepMs;
      vi.advanceTimersByTime(deadlineSweepMs);
    }
    expect(unknown.refused).toBe('connect-timeout');
  });
});

function setUp() {
  const connections = new ClientConnections<ReturnType<typeof fakeClient>>({
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    silenceMs: () => SILENCE_MS,
    clock: systemClock,
    all: new Connections(new Metrics()),
  });
  const client = (isConnected: boolean) => {
    const made = fakeClient(isConnected);
    connections.add(made);
    return made;
  };
  return { connections, client };
}

const nobody = { takeUnits: () => 0, failed() {} };

function fakeClient(isConnected: boolean) {
  return {
    door: 'test',
    facts: () => ({}) as ConnectionFacts,
    end() {},
    intake: new Intake(new FakeConnection(), nobody, { cursor: new FrameCursor(0), reusesBuffer: false }),
    isConnected,
    access: undefined,
    hasSubscriptions: false,
    isDrained: true,
    refused: undefined as string | undefined,
    refuse({ code }: { code: string }) {
      this.refused ??= code;
    },
    dismiss() {},
    cut() {},
    destroy() {},
  };
}
