import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, type Frame, FrameType } from '../../internal/protocol/frame/frame.ts';
import { Deliveries } from './deliveries.ts';
import { Inbox } from './inbox.ts';
import type { Message, MessageHandler } from './message.ts';
import { NameTable } from './names.ts';

interface Sent {
  type: number;
  topic: string;
  payload: Uint8Array;
  clientId: string;
}

// Few topics and ids, so that they repeat; some longer than what is remembered.
const name = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'sensors/temp',
    'sensors/tems',
    'ü€🚀',
    '\ufeffa',
    'x'.repeat(255),
    'x'.repeat(257),
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
);
const frame: fc.Arbitrary<Sent> = fc.record({
  type: fc.constantFrom(FrameType.publish, FrameType.publish, FrameType.publish, FrameType.suback),
  topic: name,
  payload: fc.uint8Array({ maxLength: 40 }),
  clientId: name,
});

function collecting(handlersOf: (topic: string, collect: MessageHandler) => MessageHandler[]) {
  const messages: Message[] = [];
  const frames: Frame[] = [];
  const errors: unknown[] = [];
  const inbox = new Inbox(1_000_000, {
    control: (control) => frames.push(control),
    handlersOf: (topic) => handlersOf(topic, (message) => messages.push(message)),
    readerOf: () => undefined,
    counted: () =>
      new Deliveries(
        () => {},
        () => {},
      ).next(),
    readerAt: () => undefined,
    handlersOfReplay: () => [],
    failed: (error) => errors.push(error),
  });
  return { inbox, messages, frames, errors };
}

describe('the inbox', () => {
  it('gives the same messages however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 30 }),
        fc.array(fc.nat(200), { maxLength: 60 }),
        (sent, cuts) => {
          const { inbox, messages, frames } = collecting((_, collect) => [collect]);
          const bytes = Buffer.concat(sent.map((f) => encodeFrame(f.type, f.topic, f.payload, f.clientId)));
          let at = 0;
          for (const cut of cuts) {
            inbox.push(new Uint8Array(bytes.subarray(at, at + cut)));
            at += cut;
          }
          inbox.push(new Uint8Array(bytes.subarray(at)));
          const received = messages.map(({ topic, payload, clientId, size }) => {
            expect(size).toBe(payload.length);
            return { type: FrameType.publish, topic, payload: [...payload], clientId };
          });
          const wanted = sent.map((f) => ({ ...f, payload: [...f.payload] }));
          expect(received).toEqual(wanted.filter(({ type }) => type === FrameType.publish));
          expect(frames).toHaveLength(wanted.filter(({ type }) => type !== FrameType.publish).length);
        },
      ),
    );
  });

  it('asks once who wants a topic, until that changes', () => {
    const asked: string[] = [];
    const { inbox, messages } = collecting((topic, collect) => {
      asked.push(topic);
      return [collect];
    });
    const publish = (topic: string) => inbox.push(encodeFrame(FrameType.publish, topic, '', 'c'));
    for (const topic of ['a', 'b', 'a', 'a', 'b']) publish(topic);
    expect(asked).toEqual(['a', 'b']);
    inbox.handlersChanged();
    for (const topic of ['a', 'b', 'a']) publish(topic);
    expect(asked).toEqual(['a', 'b', 'a', 'b']);
    expect(messages).toHaveLength(8);
  });

  it('calls the other handlers though one throws, and goes on with the chunk', async () => {
    const { inbox, messages, errors } = collecting((_, collect) => [
      () => {
        throw new Error('thrown');
      },
      async () => {
        throw new Error('rejected');
      },
      collect,
    ]);
    const one = encodeFrame(FrameType.publish, 'a', '', 'c');
    inbox.push(new Uint8Array(Buffer.concat([one, one])));
    await Promise.resolve();
    expect(messages).toHaveLength(2);
    expect(errors.map((error) => (error as Error).message).sort()).toEqual([
      'rejected',
      'rejected',
      'thrown',
      'thrown',
    ]);
  });

  it('refuses names that are not UTF-8, and messages that are too large', () => {
    const { inbox } = collecting(() => []);
    expect(() => inbox.push(encodeFrame(FrameType.publish, Uint8Array.of(0xff), '', 'c'))).toThrow(
      'not UTF-8',
    );
    expect(() => inbox.push(encodeFrame(FrameType.publish, 'a', new Uint8Array(1_000_001), 'c'))).toThrow(
      'at most 1000000',
    );
  });
});

describe('the table of names', () => {
  it('never takes one name for another, however many there are', () => {
    const table = new NameTable((bytes, start, end) => Buffer.from(bytes).toString('utf8', start, end));
    // More than it remembers; they differ in the middle only.
    for (let round = 0; round < 2; round++) {
      for (let index = 0; index < 40_000; index++) {
        const text = `device/${index}/temperature`;
        const bytes = Buffer.from(`..${text}..`);
        if (table.find(bytes, 2, bytes.length - 2) !== text) expect.fail(`${text} was taken for another`);
      }
    }
  });

  it('asks once for each name that it has room for', () => {
    let asked = 0;
    const table = new NameTable(() => asked++);
    const names = Array.from({ length: 2000 }, (_, index) => Buffer.from(`device/${index}/temperature`));
    for (let round = 0; round < 5; round++) for (const bytes of names) table.find(bytes, 0, bytes.length);
    // A few names push each other out of the same four slots.
    expect(asked).toBeLessThan(names.length * 1.2);
  });
});
