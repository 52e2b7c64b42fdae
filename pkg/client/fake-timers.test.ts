import { afterEach, describe, expect, it, vi } from 'vitest';
import { startBroker } from '../embed/index.ts';
import { connect } from './index.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('under the fake timers of a test', () => {
  // The broker in the same process answered at the end of a turn that never came, and `connect` hung.
  it.each(['before', 'after'])('a client of a broker that was started %s works', async (when) => {
    if (when === 'after') vi.useFakeTimers();
    const broker = await startBroker({ listen: ['tcp://127.0.0.1:0'] });
    if (when === 'before') vi.useFakeTimers();
    const client = await connect(broker.url);
    const seen: string[] = [];
    await client.subscribe('a', (message) => seen.push(message.text()));
    setInterval(() => client.publish('a', 'tick'), 1_000);
    await vi.advanceTimersByTimeAsync(3_000);
    await client.ping();
    expect(seen).toEqual(['tick', 'tick', 'tick']);
    // Much later nobody takes the connection for dead: its ticks are those of the clock on the wall.
    vi.advanceTimersByTime(3_600_000);
    await client.ping();
    expect(seen.length).toBe(3_603);
    expect(broker.stats().clients_connected_total).toBe(1);
    await client.close();
    vi.useRealTimers();
    await broker.close();
  });
});
