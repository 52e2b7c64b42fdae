import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../errors.ts';
import { sessionInflightBytes } from '../../limits/broker.ts';
import type { Message } from '../delivery/publication.ts';
import type { Receipt } from '../delivery/receipt.ts';
import { Outbox } from './outbox.ts';
import type { Outlet } from './outlet.ts';
import { noSessionStore, type SessionStore } from './session-store.ts';
import { WaitingTotal } from './waiting-total.ts';

const limits = { queueMessages: 1_000, queueBytes: 1_000_000 };
const delivery = { qos: 1, retain: false, tags: [], shared: undefined } as const;

const MiB = 2 ** 20;
/** A client that takes a few messages and acknowledges none. */
const outlet: Outlet = {
  channel: { waitingBytes: 0 } as never,
  takesRuns: false,
  takesOneCopy: false,
  window: 5,
  send: () => undefined,
  confirm() {},
};

function message(payload: string): Message {
  return { topic: 'a', payload: Buffer.from(payload), clientId: 'me', qos: 1 };
}

/** Fills a queue; how many messages it took. */
function fill(outbox: Outbox): number {
  let count = 0;
  while (outbox.offer(message('x'.repeat(300)), delivery)) count++;
  return count;
}

const noEvents = { expires() {}, putOff() {} };

function outboxOf(clientId: string, total: WaitingTotal, bounds = limits): Outbox {
  const owner = { clientId, unsent() {} };
  const parts = { owner, limits: bounds, store: noSessionStore, total, events: noEvents };
  return new Outbox({ ...parts, now: Date.now });
}

describe('outboxes', () => {
  // A client that said it takes 65,535 messages, and acknowledged none, had that many sent and kept, however large.
  it('send no more bytes than a bound before they are acknowledged, and go on with each that is', () => {
    const total = new WaitingTotal(Number.POSITIVE_INFINITY);
    const outbox = outboxOf('a', total, { queueMessages: 100, queueBytes: 100 * MiB });
    const sent: number[] = [];
    const send = (_message: Message, _as: unknown, token: number) => void sent.push(token);
    outbox.attach({ ...outlet, window: 65_535, send });
    const half = 'x'.repeat(sessionInflightBytes / 2);
    for (let index = 0; index < 5; index++) expect(outbox.offer(message(half), delivery)).toBe(true);
    expect(outbox.sendNow(message('read from a log'), delivery)).toBe(false);
    expect([sent.length, outbox.waiting]).toEqual([2, 3]);
    outbox.done(sent[0]);
    outbox.pump();
    expect([sent.length, outbox.waiting]).toEqual([3, 2]);
    // Whoever comes back gets all again that was sent, and no more.
    outbox.attach({ ...outlet, window: 65_535, send });
    outbox.pump();
    expect([sent.length, outbox.waiting]).toEqual([5, 2]);
    for (const token of sent.slice(3)) outbox.done(token);
    outbox.pump();
    expect(outbox.waiting).toBe(0);
  });

  // It was confirmed, and before that sent, while the disk failed: a broker that ended then had it sent once more as a new message.
  it.each(['sent', 'received'] as const)(
    'tell no step of QoS 2 before the store knows it, however often that fails: %s',
    (awaited) => {
      const receipts: Receipt[] = [];
      const store: SessionStore = {
        ...noSessionStore,
        putOutgoing(_clientId, { step }, receipt) {
          if (step !== awaited) return;
          receipt!.hold();
          receipts.push(receipt!);
        },
      };
      const owner = { clientId: 'a', unsent() {} };
      const parts = { owner, limits, store, total: new WaitingTotal(10_000), events: noEvents };
      const outbox = new Outbox({ ...parts, now: Date.now });
      const told: string[] = [];
      const taking: Outlet = {
        ...outlet,
        send: (_message, _as, token) => void told.push(`sent ${token}`),
        confirm: (token) => void told.push(`confirmed ${token}`),
      };
      outbox.attach(taking);
      expect(outbox.offer(message('once'), { ...delivery, qos: 2 })).toBe(true);
      if (awaited === 'received') {
        expect(told.splice(0)).toEqual(['sent 1']);
        outbox.received(1);
      }
      const problem = new BrokerError('store-unavailable', 'the disk is full');
      receipts[0]!.letGo(problem);
      receipts[1]!.letGo(problem);
      // Also not where the client comes back meanwhile.
      outbox.attach(taking);
      outbox.pump();
      expect([receipts.length, told]).toEqual([3, []]);
      receipts[2]!.letGo();
      expect([receipts.length, told]).toEqual([3, [awaited === 'sent' ? 'sent 1' : 'confirmed 1']]);
    },
  );

  it('hold no more together than they may, and at least one message each', () => {
    const total = new WaitingTotal(10_000);
    const outboxes = ['a', 'b', 'c'].map((id) => outboxOf(id, total));
    expect(outboxes.map(fill)).toEqual([10, 1, 1]);
    outboxes[0].clear();
    expect(fill(outboxes[1])).toBe(8);
    for (const outbox of outboxes) outbox.clear();
    expect([total.bytes, total.messages, total.queueBytes]).toEqual([0, 0, 0]);
  });

  // What waited was counted once for each session: 10,000 sessions that were away filled the bound with one message of
  // 1 MiB, which lay in memory once, and every other session then kept no more than one message.
  it('count a message once in what they hold together, as it lies in memory, and for each its own entry', () => {
    const total = new WaitingTotal(64 * MiB);
    const large = message('x'.repeat(MiB));
    const roomy = { queueMessages: 10, queueBytes: 2 * MiB };
    const outboxes = Array.from({ length: 10_000 }, (_, id) => outboxOf(`${id}`, total, roomy));
    for (const outbox of outboxes) expect(outbox.offer(large, delivery)).toBe(true);
    expect([total.isFull, total.bytes < 9 * MiB]).toEqual([false, true]);
    // Each session's own bound is what its client is to get.
    expect(outboxes[0].waitingBytes).toBeGreaterThan(MiB);
    expect(outboxes[0].offer(message('x'.repeat(MiB)), delivery)).toBe(false);

    // In whatever order they let it go, and whether they sent it, moved it or forgot it, the last one frees it.
    const [first, last, ...others] = outboxes as [Outbox, Outbox, ...Outbox[]];
    first.attach(outlet);
    first.pump();
    for (const outbox of others) outbox.clear();
    expect(total.bytes).toBeGreaterThan(MiB);
    expect(last.offer(message('y'), { ...delivery, shared: '$share/g/a' })).toBe(true);
    expect(last.takeShared(() => true)).toHaveLength(1);
    last.clear();
    expect([total.bytes, total.messages, total.queueBytes]).toEqual([0, 0, 0]);
  });

  it('count a message once that waits twice in one of them, by a filter of its own and by one that it shares', () => {
    const total = new WaitingTotal(Number.POSITIVE_INFINITY);
    const outbox = outboxOf('a', total);
    const both = message('x'.repeat(1_000));
    outbox.offer(both, delivery);
    const once = total.bytes;
    outbox.offer(both, { ...delivery, shared: '$share/g/a' });
    expect(total.bytes).toBeLessThan(once + 1_000);
    outbox.takeShared(() => true);
    expect(total.bytes).toBe(once);
    outbox.clear();
    expect([total.bytes, total.messages, total.queueBytes]).toEqual([0, 0, 0]);
  });

  it('give back what they sent, moved or restored', () => {
    const total = new WaitingTotal(Number.POSITIVE_INFINITY);
    const outbox = outboxOf('a', total);
    outbox.offer(message('x'), { ...delivery, shared: '$share/g/a' });
    const [moved] = outbox.takeShared(() => true);
    expect([total.bytes, total.messages, total.queueBytes]).toEqual([0, 0, 0]);
    outbox.restore({ ...moved, sequence: 7 });
    expect(total.bytes).toBeGreaterThan(0);
    outbox.attach(outlet);
    outbox.pump();
    expect([outbox.waiting, outbox.unacknowledged, total.bytes]).toEqual([0, 1, 0]);
  });
});
