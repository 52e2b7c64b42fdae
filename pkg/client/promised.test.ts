import { describe, expect, it } from 'vitest';
import { FrameBit } from '../../internal/protocol/frame/frame.ts';
import { Agreement } from './agreement.ts';
import { RefusedError } from './errors.ts';
import { LostCountError, Promised } from './promised.ts';

const BOUNDS = { messages: 100, bytes: 1_000 };
const agreed = (words: string) => new Agreement(Buffer.from(words));

function promised() {
  const queue = new Promised(BOUNDS, () => {});
  const fates: string[] = [];
  const add = (text: string, count: 0x20 | 0x40 = FrameBit.once, bytes = text.length) => {
    const frame = new Uint8Array(Buffer.from(text.padEnd(bytes)));
    const needs = [count === FrameBit.once ? ('once' as const) : ('acks' as const)];
    queue.add({ count, topic: 'a', frame, needs, publishedAtMs: 0 }).then(
      () => fates.push(`${text} is there`),
      (error) => fates.push(`${text}: ${error.code}`),
    );
    queue.sent(count);
  };
  const restored = (words: string) =>
    queue.restore(agreed(words)).map((frame) => Buffer.from(frame).toString().trim());
  const settled = async () => {
    await new Promise(setImmediate);
    return fates;
  };
  return { queue, add, restored, settled };
}

describe('messages that are to come exactly once', () => {
  it('are not sent again where the broker has them, and go on with the same count', async () => {
    const { queue, add, restored, settled } = promised();
    const { producer } = queue;
    restored('once last=0');
    for (const text of ['1', '2', '3', '4']) add(text);
    queue.acknowledge(FrameBit.once, 1);
    expect(restored('once last=3')).toEqual(['4']);
    expect(await settled()).toEqual(['1 is there', '2 is there', '3 is there']);
    queue.acknowledge(FrameBit.once, 4);
    expect(await settled()).toContain('4 is there');
    expect([queue.count, queue.producer]).toEqual([0, producer]);
  });

  it.each(['once last=9', 'once last=0'])(
    'begin another count where the two have lost each other: %s',
    (words) => {
      const { queue, add, restored } = promised();
      restored('once last=0');
      for (const text of ['1', '2', '3']) add(text);
      queue.acknowledge(FrameBit.once, 2);
      const { producer } = queue;
      expect(() => restored(words)).toThrow(LostCountError);
      expect(queue.producer).not.toBe(producer);
      expect(restored('once last=0')).toEqual(['3']);
    },
  );

  it('have their number where they are refused', async () => {
    const { queue, add, restored, settled } = promised();
    restored('once last=0');
    for (const text of ['1', '2', '3']) add(text);
    queue.refuse(FrameBit.once, 2, new RefusedError('not-authorized: no'));
    expect(await settled()).toEqual(['1 is there', '2: not-authorized']);
    expect(restored('once last=2')).toEqual(['3']);
  });
});

describe('messages that are acknowledged', () => {
  it('are counted anew on each connection, and sent again in their order', async () => {
    const { queue, add, restored, settled } = promised();
    restored('acks');
    for (const text of ['1', '2', '3']) add(text, FrameBit.acknowledged);
    queue.acknowledge(FrameBit.acknowledged, 1);
    expect(restored('acks')).toEqual(['2', '3']);
    queue.acknowledge(FrameBit.acknowledged, 1);
    expect(await settled()).toEqual(['1 is there', '2 is there']);
    // More than was sent is acknowledged by nobody.
    queue.acknowledge(FrameBit.acknowledged, 1_000);
    expect(queue.count).toBe(0);
  });

  it('are told where another broker does not offer it', async () => {
    const { queue, add, restored, settled } = promised();
    add('1', FrameBit.acknowledged);
    expect(restored('refusals')).toEqual([]);
    expect([await settled(), queue.count]).toEqual([['1: not-supported'], 0]);
  });
});

it('has bounds, and says when there is room', async () => {
  const { queue, add, settled } = promised();
  add('1', FrameBit.acknowledged, 600);
  // The last one may go beyond, or one that is larger than the bound could never be sent.
  add('2', FrameBit.acknowledged, 600);
  expect(() => add('3', FrameBit.acknowledged)).toThrow('1000 bytes wait for the broker already');
  let hasRoom = false;
  const drained = queue.drained().then(() => {
    hasRoom = true;
  });
  await settled();
  expect(hasRoom).toBe(false);
  queue.acknowledge(FrameBit.acknowledged, 1);
  await drained;
});
