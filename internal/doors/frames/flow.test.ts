import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FakeConnection } from '../../../test/support/fake-connection.ts';
import { acked, connect, publish, subscribe, told } from '../../../test/support/frame-words.ts';
import { framesDoor } from '../../../test/support/frames-door.ts';
import { ANY_CREDIT, encodeAck, encodeCredit } from '../../protocol/frame/acknowledgements.ts';
import { encodeFrame, FrameBit, FrameType } from '../../protocol/frame/frame.ts';
import { CreditGate } from './credit-gate.ts';

const ping = encodeFrame(FrameType.ping, '', '', 'me');
const credit = (messages: number, bytes = ANY_CREDIT) => encodeCredit({ messages, bytes });

async function opened(
  open: () => FakeConnection,
  offer: string,
  ...filters: string[]
): Promise<FakeConnection> {
  const connection = open();
  send(connection, connect('me', offer), ...filters.map((filter) => subscribe(filter)));
  expect((await tell(connection)).at(-1)).toMatch(filters.length > 0 ? 'SUBACK' : 'CONNACK');
  return connection;
}

function send({ handler }: FakeConnection, ...frames: Uint8Array[]): void {
  handler.bytes(Buffer.concat(frames));
}

async function tell(connection: FakeConnection): Promise<string[]> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  return (await connection.frames()).map(told);
}

/** A broker with a client that publishes, and one that gives credit. */
async function pair(offer = 'flow', settings: Parameters<typeof framesDoor>[0] = {}) {
  const door = framesDoor(settings);
  const publisher = await door.connected('publisher');
  const me = await opened(door.open, offer, 'a');
  const say = (...texts: string[]) =>
    send(publisher, ...texts.map((text) => publish('a', text, {}, 'publisher')));
  return { ...door, publisher, me, say };
}

describe('credit', () => {
  it('begins with none; messages come on it, in their order, and answers without', async () => {
    const { me, say } = await pair();
    say('1', '2', '3', '4');
    expect(await tell(me)).toEqual([]);
    send(me, ping);
    expect(await tell(me)).toEqual(['PONG']);
    send(me, credit(1));
    expect(await tell(me)).toEqual(['PUBLISH a 1']);
    send(me, credit(2), ping);
    expect((await tell(me)).sort()).toEqual(['PONG', 'PUBLISH a 2', 'PUBLISH a 3']);
    say('5');
    send(me, ping);
    expect(await tell(me)).toEqual(['PONG']);
    send(me, credit(ANY_CREDIT));
    expect(await tell(me)).toEqual(['PUBLISH a 4', 'PUBLISH a 5']);
    say('6', '7');
    expect(await tell(me)).toEqual(['PUBLISH a 6', 'PUBLISH a 7']);
  });

  it('of bytes lets a message through that is longer, which is missing from the next', async () => {
    const { me, say } = await pair();
    say('x'.repeat(100), '2', '3');
    send(me, credit(10, 1));
    expect(await tell(me)).toEqual([`PUBLISH a ${'x'.repeat(100)}`]);
    send(me, credit(0, 100));
    expect(await tell(me)).toEqual([]);
    send(me, credit(0, 20));
    expect(await tell(me)).toEqual(['PUBLISH a 2']);
  });

  it('is for messages that are acknowledged too, which keep their numbers', async () => {
    const { me } = await pair('flow delivery acks');
    send(me, subscribe('b', { acknowledged: true }));
    send(me, acked('b', '1'), acked('b', '2'), publish('b', '3'));
    // The client published them itself; what it is told of that needs no credit.
    expect(await tell(me)).toEqual(['SUBACK b', 'ACK+ 2']);
    send(me, credit(2));
    expect(await tell(me)).toEqual(['PUBLISH+ b 1', 'PUBLISH+ b 2']);
    send(me, encodeAck(FrameBit.acknowledged, 2), credit(1));
    expect(await tell(me)).toEqual(['PUBLISH b 3']);
  });

  it('is for retained messages', async () => {
    const { open } = framesDoor();
    const other = open();
    send(
      other,
      connect('other', 'retain'),
      publish('a/1', 'r', { retain: true }),
      publish('a/2', 'r', { retain: true }),
    );
    await tell(other);
    const me = await opened(open, 'flow', 'a/#');
    expect(await tell(me)).toEqual([]);
    send(me, credit(1));
    expect(await tell(me)).toEqual(['PUBLISH a/1 r']);
    send(me, credit(1));
    expect(await tell(me)).toEqual(['PUBLISH a/2 r']);
  });

  it('that was not agreed on is passed over, as by any plain broker', async () => {
    const { open } = framesDoor();
    const me = await opened(open, 'acks', 'a');
    send(me, credit(1), publish('a', '1'));
    expect(await tell(me)).toEqual(['PUBLISH a 1']);
  });

  it('that has no meaning ends the connection', async () => {
    const { open } = framesDoor();
    const me = await opened(open, 'flow');
    send(me, encodeFrame(FrameType.credit, '', '1234567', 'me'));
    expect((await tell(me)).at(-1)).toMatch(/^DISCONNECT unexpected-frame: /);
  });

  it('that does not come makes the client a slow one: publishers wait, and then its messages are dropped', async () => {
    const { me, say, publisher, channelOf } = await pair('flow', { slowConsumerWaitMs: 50 });
    // More than the channel holds beside what waits before the connection.
    for (let turn = 0; turn < 3; turn++) {
      say(...Array.from({ length: 150 }, (_, index) => `${turn}.${index}`));
      await tell(publisher);
    }
    expect(publisher.pauses).toBeGreaterThan(0);
    while (!channelOf('me').isSlow) await new Promise((resolve) => setTimeout(resolve, 5));
    await tell(publisher);
    expect(publisher.pauses).toBe(0);
    say('late');
    await tell(publisher);
    send(me, credit(ANY_CREDIT));
    const got = await tell(me);
    expect(got.slice(0, 2)).toEqual(['PUBLISH a 0.0', 'PUBLISH a 0.1']);
    expect(got).not.toContain('PUBLISH a late');
  });

  it('comes from a client that publishes to itself more than it has credit for', async () => {
    const { me } = await pair();
    const texts = Array.from({ length: 500 }, (_, index) => `${index}`);
    for (const text of texts) send(me, publish('a', text));
    await tell(me);
    expect(me.pauses).toBe(0);
    send(me, credit(ANY_CREDIT));
    expect(await tell(me)).toEqual(texts.map((text) => `PUBLISH a ${text}`));
  });

  it('waits for the socket as well', async () => {
    const { me, say } = await pair();
    me.isFull = true;
    say('1', '2', '3');
    send(me, credit(1));
    expect(await tell(me)).toEqual(['PUBLISH a 1']);
    send(me, credit(1), ping);
    await tell(me);
    me.isFull = false;
    me.handler.drained();
    send(me, credit(1));
    const got = await tell(me);
    expect(got.at(-1)).toBe('PUBLISH a 3');
  });
});

describe('the gate', () => {
  const message = fc.record({
    type: fc.constantFrom(0x02, 0x12, 0x22, 0x0d, 0x2d, 0x04, 0x08, 0x2e, 0x0c),
    payload: fc.uint8Array({ maxLength: 20 }),
  });
  const step = fc.oneof(
    fc.record({ frames: fc.array(message, { maxLength: 6 }) }),
    fc.record({ messages: fc.nat(4), bytes: fc.nat(60) }),
    fc.record({ isFull: fc.boolean() }),
  );

  it('loses nothing, keeps the order of each kind, and sends no message without credit', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const out: Uint8Array[] = [];
        let isFull = false;
        const write = (buffers: readonly Uint8Array[]) => {
          out.push(...buffers);
          return !isFull;
        };
        const gate = new CreditGate({ write });
        const sent: Uint8Array[] = [];
        let [messages, bytes] = [0, 0];
        let mayWrite = true;
        for (const one of steps) {
          if ('isFull' in one) {
            isFull = one.isFull;
            if (!isFull) mayWrite = gate.drained();
          } else if ('frames' in one) {
            if (!mayWrite) continue;
            const frames = one.frames.map(({ type, payload }) => encodeFrame(type, 'a', payload, 'c'));
            sent.push(...frames);
            mayWrite = gate.write([Buffer.concat(frames)]);
          } else {
            messages += one.messages;
            bytes += one.bytes;
            if (gate.give(one)) mayWrite = true;
          }
        }
        const passed = framesOf(Buffer.concat(out));
        const passedMessages = passed.filter(isMessage);
        expect(passedMessages.length).toBeLessThanOrEqual(messages);
        // The last one may take more than was left.
        const most = passedMessages.slice(0, -1).reduce((sum, frame) => sum + frame.length, 0);
        expect(most).toBeLessThan(Math.max(1, bytes));
        expect(hexOf(passed.filter((frame) => !isMessage(frame)))).toEqual(
          hexOf(sent.filter((frame) => !isMessage(frame))),
        );
        gate.give({ messages: ANY_CREDIT, bytes: ANY_CREDIT });
        expect(gate.waiting).toBe(0);
        expect(hexOf(framesOf(Buffer.concat(out)).filter(isMessage))).toEqual(hexOf(sent.filter(isMessage)));
      }),
    );
  });
});

function isMessage(frame: Uint8Array): boolean {
  return [FrameType.publish, FrameType.replayed].some((type) => type === (frame[0]! & 0x0f));
}

function framesOf(bytes: Buffer): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const topicEnd = at + 3 + bytes.readUInt16BE(at + 1);
    const idAt = topicEnd + 4 + bytes.readUInt32BE(topicEnd);
    const end = idAt + 2 + bytes.readUInt16BE(idAt);
    all.push(bytes.subarray(at, end));
    at = end;
  }
  return all;
}

function hexOf(frames: readonly Uint8Array[]): string[] {
  return frames.map((frame) => Buffer.from(frame).toString('hex'));
}
