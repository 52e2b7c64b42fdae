import { describe, expect, it } from 'vitest';
import type { Message } from '../delivery/publication.ts';
import { Outbox, WaitingTotal } from './outbox.ts';
import { noSessionStore } from './session-store.ts';

const limits = { queueMessages: 1_000, queueBytes: 1_000_000 };
const delivery = { qos: 1, retain: false, identifiers: [], shared: undefined } as const;

function message(payload: string): Message {
  return { topic: 'a', payload: Buffer.from(payload), clientId: 'me', qos: 1 };
}

/** Fills a queue; how many messages it took. */
function fill(outbox: Outbox): number {
  let count = 0;
  while (outbox.offer(message('x'.repeat(300)), delivery)) count++;
  return count;
}

describe('outboxes', () => {
  it('hold no more together than they may, and at least one message each', () => {
    const total = new WaitingTotal(10_000);
    const outboxes = ['a', 'b', 'c'].map((id) => new Outbox(id, limits, noSessionStore, total));
    expect(outboxes.map(fill)).toEqual([10, 1, 1]);
    outboxes[0]!.clear();
    expect(fill(outboxes[1]!)).toBe(8);
    for (const outbox of outboxes) outbox.clear();
    expect(total.bytes).toBe(0);
  });

  it('give back what they sent, moved or restored', () => {
    const total = new WaitingTotal(Number.POSITIVE_INFINITY);
    const outbox = new Outbox('a', limits, noSessionStore, total);
    outbox.offer(message('x'), { ...delivery, shared: '$share/g/a' });
    const [moved] = outbox.takeShared(() => true);
    expect(total.bytes).toBe(0);
    outbox.restore({ ...moved!, sequence: 7 });
    expect(total.bytes).toBeGreaterThan(0);
    const channel = { waitingBytes: 0 } as never;
    outbox.attach({ channel, takesRuns: false, receiveMaximum: 5, send: () => true, release() {} });
    outbox.pump();
    expect([outbox.waiting, outbox.unacknowledged, total.bytes]).toEqual([0, 1, 0]);
  });
});
