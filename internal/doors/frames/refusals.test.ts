import { describe, expect, it } from 'vitest';
import { type FakeConnection, shown } from '../../../test/support/fake-connection.ts';
import { framesDoor } from '../../../test/support/frames-door.ts';
import { maxWaitingControlBytes, refusalsLoggedPerSecond } from '../../limits/doors.ts';
import { encodeFrame, FrameType } from '../../protocol/frame/frame.ts';

const guard = {
  mayConnect: () => undefined,
  mayPublish: (_: unknown, topic: string) => (topic.startsWith('secret') ? 'it is secret' : undefined),
  maySubscribe: (_: unknown, filter: string) => (filter === 'secret' ? 'it is secret' : undefined),
};

// A client that published one message to a topic that it may not publish to was disconnected, and the messages right
// behind it were lost. A client that agreed on `refusals` is told, and goes on.
describe('a client that agreed on refusals', () => {
  it('is told so by CONNACK', async () => {
    const { connection } = await agreed({});
    expect(connection.isEnded).toBe(false);
  });

  it.each<[string, Uint8Array, string]>([
    [
      'not its own',
      publish('secret/1', 'x'),
      "10 secret/1 not-authorized: topic 'secret/1': it is secret me",
    ],
    ['the broker’s', publish('$SYS/a', 'x'), '10 $SYS/a reserved-topic: '],
    ['no topic', publish('a/#', 'x'), '10 a/# invalid-topic: '],
    ['empty', publish('', 'x'), '10  invalid-topic: '],
    ['no text', Buffer.from('020002c328000000000000', 'hex'), '10  invalid-topic: '],
  ])('goes on after a PUBLISH to a topic that is %s', async (_, refused, answer) => {
    const { connection, subscriber } = await agreed({});
    connection.handler.bytes(Buffer.concat([publish('a', '1'), refused, ...five()]));
    const answers = (await connection.frames()).map(shown);
    expect(answers).toHaveLength(1);
    expect(answers[0]).toContain(answer);
    expect((await subscriber.frames()).map(shown)).toEqual([
      '2 a 1 me',
      ...[1, 2, 3, 4, 5].map((number) => `2 a ${number} me`),
    ]);
    expect(connection.isEnded).toBe(false);
  });

  it.each(['whole', 'byte by byte', 'in halves'])(
    'goes on after a PUBLISH that is too large, %s',
    async (how) => {
      const { connection, subscriber } = await agreed({ maxMessageBytes: 16 });
      const all = Buffer.concat([publish('a', '1'), publish('large', 'x'.repeat(17)), publish('a', '2')]);
      const pieceBytes = { whole: all.length, 'byte by byte': 1, 'in halves': all.length / 2 }[how]!;
      for (let at = 0; at < all.length; at += pieceBytes) {
        connection.handler.bytes(all.subarray(at, at + pieceBytes));
      }
      expect((await connection.frames()).map(shown)).toEqual([
        '10 large message-too-large: payload of 17 bytes; at most 16 are accepted me',
      ]);
      expect((await subscriber.frames()).map(shown)).toEqual(['2 a 1 me', '2 a 2 me']);
    },
  );

  it('may send other frames as long as it likes behind one that claims 4 GiB, and none of it is kept', async () => {
    const { connection, subscriber } = await agreed({ maxMessageBytes: 16 });
    connection.handler.bytes(Buffer.from('02000161ffffffff', 'hex'));
    expect((await connection.frames()).map(({ type }) => type)).toEqual([FrameType.publishRefused]);
    for (let count = 0; count < 100; count++) connection.handler.bytes(publish('a', 'part of it'));
    expect(await connection.frames()).toEqual([]);
    expect(await subscriber.frames()).toEqual([]);
  });

  it('is disconnected by anything else that is too large', async () => {
    const { connection } = await agreed({ maxMessageBytes: 16 });
    connection.handler.bytes(encodeFrame(FrameType.subscribe, 'a', 'x'.repeat(17), 'me'));
    expect((await connection.frames()).map(({ type }) => type)).toEqual([FrameType.disconnect]);
    expect(connection.isEnded).toBe(true);
  });

  it.each([
    ['secret', "not-authorized: filter 'secret': it is secret"],
    ['a/#/b', "invalid-filter: filter 'a/#/b': # must be the whole last level"],
    ['$replay/earliest/a', "no-log: filter '$replay/earliest/a': this broker keeps no log"],
    ['$replay/soon/a', "no-log: filter '$replay/soon/a': this broker keeps no log"],
  ])('goes on after a SUBSCRIBE to %s', async (filter, reason) => {
    const { connection } = await agreed({});
    const requests = [filter, 'b'].map((wanted) => encodeFrame(FrameType.subscribe, wanted, '', 'me'));
    connection.handler.bytes(Buffer.concat(requests));
    expect((await connection.frames()).map(shown)).toEqual([`11 ${filter} ${reason} me`, '4 b  me']);
  });

  it('is disconnected where a frame has no meaning', async () => {
    const { connection } = await agreed({});
    connection.handler.bytes(encodeFrame(FrameType.connack, '', '', 'me'));
    expect((await connection.frames()).map(({ type }) => type)).toEqual([FrameType.disconnect]);
  });

  it('is read no faster than it takes what it is told, and fills no log', async () => {
    const lines: unknown[] = [];
    const { connection, metrics } = await agreed({ logged: (line) => lines.push(line) });
    connection.isFull = true;
    const one = publish('secret/1', 'x');
    connection.handler.bytes(Buffer.concat(Array.from({ length: 5_000 }, () => one)));
    for (let turn = 0; turn < 100; turn++) await endOfTurn();
    const told = metrics.snapshot()['refusals_total{code="not-authorized"}'];
    expect(told).toBeLessThan((2 * maxWaitingControlBytes) / one.length);
    expect(connection.pauses).toBeGreaterThan(0);
    connection.isFull = false;
    let count = 0;
    while (count < 5_000) {
      count += (await connection.frames()).length;
      connection.handler.drained();
    }
    expect(metrics.snapshot()['refusals_total{code="not-authorized"}']).toBe(5_000);
    expect(lines.length).toBeLessThan(100 * refusalsLoggedPerSecond);
  });
});

describe('a client that offers nothing, or what nobody knows', () => {
  it.each(['', 'tomorrow', 'refusal'])('%j is disconnected by what is refused', async (offer) => {
    const { open } = framesDoor({ guard });
    const connection = open(encodeFrame(FrameType.connect, '', offer, 'me'));
    expect((await connection.frames()).map(shown)).toEqual(['1   me']);
    connection.handler.bytes(Buffer.concat([publish('secret/1', 'x'), ...five()]));
    expect((await connection.frames()).map(shown)).toEqual([
      "9  not-authorized: topic 'secret/1': it is secret me",
    ]);
    expect(connection.isEnded).toBe(true);
  });
});

interface Wanted {
  maxMessageBytes?: number;
  logged?: (line: unknown) => void;
}

/** A client that agreed, and one that subscribed to `a`. */
async function agreed({ maxMessageBytes = 1_000, logged = () => {} }: Wanted) {
  const logger = { debug() {}, info: logged, warn() {}, error() {} };
  const { open, connected, metrics } = framesDoor({ guard, maxMessageBytes, logger });
  const subscriber = await connected('subscriber', 'a');
  const connection: FakeConnection = open(encodeFrame(FrameType.connect, '', 'refusals', 'me'));
  expect((await connection.frames()).map(shown)).toEqual(['1  refusals me']);
  return { connection, subscriber, metrics };
}

function publish(topic: string, payload: string): Uint8Array {
  return encodeFrame(FrameType.publish, topic, payload, 'me');
}

function five(): Uint8Array[] {
  return [1, 2, 3, 4, 5].map((number) => publish('a', String(number)));
}

function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
