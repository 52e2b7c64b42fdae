import { afterEach, expect, it } from 'vitest';
import type { Limit } from '../../internal/access/limits/limit.ts';
import { Limits } from '../../internal/access/limits/limits.ts';
import { Admission } from '../../internal/doors/clients/admission.ts';
import { MovableClock } from '../../internal/lib/clock.ts';
import { openTestDoor, type TestDoor } from '../grpc/grpc-door.ts';

const clock = new MovableClock();
let door: TestDoor | undefined;
afterEach(() => door?.close());

/** A door whose clients have these limits, with a topic. */
async function opened(values: Limit['values']) {
  const limits = new Limits({ clock, read: () => [{ id: 'everybody', values, origin: 'store' }] });
  door = await openTestDoor({ admission: new Admission(undefined, undefined, limits) });
  await door.client.unary('CreateTopic', { topic: 'a' });
  return door;
}

/** Moves the clock of the limits until so many came; how many there were when so much time had gone by. */
async function until(reached: () => number, most: number): Promise<[number, number][]> {
  const beganMs = clock.elapsedMs();
  const seen: [number, number][] = [];
  while (reached() < most) {
    await clock.advance(200);
    await new Promise((resolve) => setTimeout(resolve, 5));
    seen.push([clock.elapsedMs() - beganMs, reached()]);
    if (seen.length > 10_000) throw new Error(`only ${reached()} of ${most} came`);
  }
  return seen;
}

/** No more than a second's share, and the rate after that; what a chunk has in it counts once it is read. */
function expectHeld(seen: readonly [number, number][], perSecond: number, slack: number): void {
  for (const [afterMs, count] of seen) {
    expect(count).toBeLessThanOrEqual(perSecond + (afterMs / 1_000) * perSecond + slack);
  }
}

// Only bytes were counted on this door: a limit of messages held nobody.
it('messages that are produced are held to the limit of messages', async () => {
  const { client, metrics } = await opened({ messagesInPerSecond: 20 });
  const received = metrics.counter('grpc_messages_received_total');
  const calls = Array.from({ length: 100 }, () =>
    client.unary('Produce', { topic: 'a', message: Buffer.alloc(500, 'x') }),
  );
  const seen = await until(() => received.value, 100);
  expectHeld(seen, 20, 25);
  expect(seen.at(-1)![0]).toBeGreaterThan(2_000);
  await Promise.all(calls);
});

it('messages that are consumed are held to it too, and all come', async () => {
  const { client } = await opened({ messagesOutPerSecond: 20 });
  for (let index = 0; index < 100; index++) {
    await client.unary('Produce', { topic: 'a', message: Buffer.alloc(64_000, 'x') });
  }
  const call = client.call('StreamConsume', [{ topic: 'a', offset: 1n }]);
  const seen = await until(() => call.responses.length, 100);
  expect(seen.at(-1)![0]).toBeGreaterThan(2_000);
});
