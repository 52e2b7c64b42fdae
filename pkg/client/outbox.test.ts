import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameType } from '../../internal/protocol/frame/frame.ts';
import { Outbox } from './outbox.ts';

const topic = fc.string({ unit: 'binary', minLength: 1, maxLength: 80 });
const payload = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.uint8Array({ maxLength: 200 }),
  fc.integer({ min: 20_000, max: 140_000 }).map((length) => 'ü'.repeat(length)),
  fc.integer({ min: 60_000, max: 140_000 }).map((length) => new Uint8Array(length).fill(7)),
);
type Step =
  | { kind: 'message'; topic: string; payload: string | Uint8Array }
  | { kind: 'request' }
  | { kind: 'take' }
  | { kind: 'takeFull' };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('message' as const), topic, payload }) },
  fc.record({ kind: fc.constantFrom('request' as const, 'take' as const, 'takeFull' as const) }),
);
const request = encodeFrame(FrameType.ping, '', '', 'me');

function newOutbox(): Outbox {
  return new Outbox('me', () => {});
}

describe('the outbox', () => {
  it('hands out every frame once and in order, and never writes again what it handed out', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const outbox = newOutbox();
        const expected: Uint8Array[] = [];
        const taken: { chunk: Uint8Array; asItWas: Buffer }[] = [];
        const keep = (chunks: Uint8Array[]) => {
          for (const chunk of chunks) taken.push({ chunk, asItWas: Buffer.from(chunk) });
        };
        for (const item of steps) {
          if (item.kind === 'message') {
            outbox.add(item.topic, item.payload);
            expected.push(encodeFrame(FrameType.publish, item.topic, item.payload, 'me'));
          } else if (item.kind === 'request') {
            outbox.addRequest(request.slice());
            expected.push(request);
          } else {
            keep(outbox[item.kind]());
          }
          const takenBytes = taken.reduce((sum, { chunk }) => sum + chunk.length, 0);
          const expectedBytes = expected.reduce((sum, { length }) => sum + length, 0);
          expect(outbox.bytes).toBe(expectedBytes - takenBytes);
        }
        keep(outbox.take());
        expect(outbox.bytes).toBe(0);
        expect(Buffer.concat(taken.map(({ chunk }) => chunk)).equals(Buffer.concat(expected))).toBe(true);
        for (const { chunk, asItWas } of taken) expect(asItWas.equals(chunk)).toBe(true);
      }),
    );
  });

  it('forgets requests and keeps messages when a connection is gone', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const outbox = newOutbox();
        const messages: Uint8Array[] = [];
        for (const item of steps) {
          if (item.kind === 'request') outbox.addRequest(request.slice());
          if (item.kind !== 'message') continue;
          outbox.add(item.topic, item.payload);
          messages.push(encodeFrame(FrameType.publish, item.topic, item.payload, 'me'));
        }
        outbox.dropRequests();
        expect(outbox.bytes).toBe(messages.reduce((sum, { length }) => sum + length, 0));
        expect(Buffer.concat(outbox.take()).equals(Buffer.concat(messages))).toBe(true);
      }),
    );
  });

  it('gathers small messages in few chunks and gives a large one exactly its size', () => {
    const outbox = newOutbox();
    for (let index = 0; index < 10_000; index++) outbox.add('a', 'x'.repeat(16));
    const small = outbox.take();
    expect(small.length).toBeLessThanOrEqual(Math.ceil((10_000 * 28) / (64 * 1024)) + 1);
    outbox.add('a', 'x'.repeat(1_000_000));
    outbox.add('a', 'y');
    const [large] = outbox.take();
    expect(large.buffer.byteLength).toBe(large.length);
  });

  it('remembers that a topic is good, and asks again for one that is not', () => {
    const asked: string[] = [];
    const outbox = new Outbox('me', (name) => {
      asked.push(name);
      if (name === 'bad') throw new Error('bad');
    });
    for (const name of ['a', 'b', 'a', 'a', 'b']) outbox.add(name, '');
    for (const _ of [1, 2]) expect(() => outbox.add('bad', '')).toThrow('bad');
    expect(asked).toEqual(['a', 'b', 'bad', 'bad']);
    expect(Buffer.concat(outbox.take()).length).toBe(5 * encodeFrame(2, 'a', '', 'me').length);
  });

  it.each([
    [undefined, 'Undefined'],
    [null, 'Null'],
    [5, 'Number'],
    [{ a: 1 }, 'Object'],
    [[1, 2], 'Array'],
    [new ArrayBuffer(4), 'ArrayBuffer'],
    [new Uint16Array(4), 'Uint16Array'],
    [new DataView(new ArrayBuffer(4)), 'DataView'],
  ])('refuses %o as a payload and stays as it was', (wrong, what) => {
    const outbox = newOutbox();
    outbox.add('a', 'before');
    expect(() => outbox.add('a', wrong as never)).toThrow(
      expect.objectContaining({
        code: 'invalid-payload',
        message: `a payload is a string or a Uint8Array, not ${what}`,
      }),
    );
    outbox.add('a', Buffer.from('after'));
    const expected = ['before', 'after'].map((text) => encodeFrame(FrameType.publish, 'a', text, 'me'));
    expect(Buffer.concat(outbox.take()).equals(Buffer.concat(expected))).toBe(true);
  });
});
