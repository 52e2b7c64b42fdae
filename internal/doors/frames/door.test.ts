import { describe, expect, it } from 'vitest';
import { bytesOf, fromHex, GOLDEN_FRAMES } from '../../../test/golden/frames.ts';
import { withEndlessTurn } from '../../../test/support/endless-turn.ts';
import { FakeConnection, shown } from '../../../test/support/fake-connection.ts';
import { sessionsOf } from '../../../test/support/sessions.ts';
import { type Guard, policyOfGuard } from '../../access/guard.ts';
import { Broker } from '../../broker/broker.ts';
import { Metrics } from '../../observe/metrics.ts';
import { encodeFrame, FrameType } from '../../protocol/frame/frame.ts';
import { Admission } from '../clients/admission.ts';
import type { ClientDoorParts } from '../clients/client-door.ts';
import { FramesDoor } from './door.ts';

describe('the first frame', () => {
  it('is CONNECT, answered by CONNACK with the own id', async () => {
    const { open } = setUp();
    expect(await answers(open(connectFrame('kitchen')))).toEqual(['1   kitchen']);
  });

  it.each(GOLDEN_FRAMES.filter(({ type }) => type !== FrameType.connect))(
    'is not $name: refused before it is whole',
    async (golden) => {
      const connection = setUp().open(bytesOf(golden).subarray(0, 1));
      expect(await answers(connection)).toEqual([
        `9  not-connected: the first frame has type ${golden.type}, not CONNECT (0) `,
      ]);
      expect(connection.isEnded).toBe(true);
    },
  );

  it.each([
    ['has no id', encodeFrame(0, '', '', ''), 'invalid-client-id: the client id is empty'],
    ['has a NUL in its id', encodeFrame(0, '', '', 'a\0'), 'invalid-client-id: the client id has a NUL byte'],
    [
      'has an id that is not UTF-8',
      fromHex('00 0000 00000000 0002 c328'),
      'invalid-client-id: client id is not UTF-8',
    ],
  ])('%s: refused', async (_, bytes, reason) => {
    expect(await answers(setUp().open(bytes))).toEqual([`9  ${reason} `]);
  });

  it('may carry the payload that is reserved for an extension; the answer is plain', async () => {
    expect(await answers(setUp().open(encodeFrame(0, '', 'offer', 'c')))).toEqual(['1   c']);
  });

  it('is refused where the guard says so', async () => {
    const guard = { ...allowEverything, mayConnect: () => 'not today' };
    expect(await answers(setUp({}, guard).open(connectFrame('c')))).toEqual([
      '9  not-authorized: not today c',
    ]);
  });
});

describe('requests', () => {
  it.each([
    ['SUBSCRIBE', encodeFrame(3, 'a/+', '', 'c'), '4 a/+  c'],
    ['UNSUBSCRIBE of what was never subscribed', encodeFrame(5, 'a', '', 'c'), '6 a  c'],
    ['PING', encodeFrame(7, '', '', 'c'), '8   c'],
  ])('%s is answered', async (_, bytes, answer) => {
    const connection = await setUp().connected('c');
    connection.handler.bytes(bytes);
    expect(await answers(connection)).toEqual([answer]);
  });

  it('DISCONNECT is not answered', async () => {
    const connection = await setUp().connected('c');
    connection.handler.bytes(encodeFrame(9, '', '', 'c'));
    expect(await answers(connection)).toEqual([]);
    expect(connection.isEnded).toBe(true);
  });

  it.each([
    [encodeFrame(0, '', '', 'c'), 'unexpected-frame: type 0 came from a connected client'],
    [encodeFrame(1, '', '', 'c'), 'unexpected-frame: type 1 came from a connected client'],
    [encodeFrame(8, '', '', 'c'), 'unexpected-frame: type 8 came from a connected client'],
    [encodeFrame(0x82, 'a', '', 'c'), 'reserved-bits: the type byte is 0x82'],
    [encodeFrame(3, 'a/#/b', '', 'c'), "invalid-filter: filter 'a/#/b': # must be the whole last level"],
    [encodeFrame(3, '', '', 'c'), "invalid-filter: filter '': a filter has at least one byte"],
    [encodeFrame(2, 'a/+', '', 'c'), "invalid-topic: topic 'a/+': + and # belong in filters, not in a topic"],
    [encodeFrame(2, '', '', 'c'), "invalid-topic: topic '': a topic has at least one byte"],
    [
      encodeFrame(2, '$SYS/x', '', 'c'),
      "reserved-topic: topic '$SYS/x': $SYS and what is below it belong to the broker",
    ],
    [fromHex('02 0002 c328 00000000 0001 63'), 'invalid-topic: the topic is not UTF-8'],
    [
      fromHex('02 0001 61 ffffffff'),
      'message-too-large: payload of 4294967295 bytes; at most 1000 are accepted',
    ],
  ])('%# that break a rule end the connection with the reason', async (bytes, reason) => {
    const { connected, metrics } = setUp();
    const connection = await connected('c');
    connection.handler.bytes(bytes);
    expect(await answers(connection)).toEqual([`9  ${reason} c`]);
    expect(connection.isEnded).toBe(true);
    connection.handler.bytes(encodeFrame(7, '', '', 'c'));
    expect(await answers(connection)).toEqual([]);
    const code = reason.slice(0, reason.indexOf(':'));
    expect(metrics.snapshot()[`disconnects_total{code="${code}"}`]).toBe(1);
  });

  it('of an unknown type are passed over', async () => {
    const connection = await setUp().connected('c');
    connection.handler.bytes(Buffer.concat([encodeFrame(12, '', 'x', 'c'), encodeFrame(7, '', '', 'c')]));
    expect(await answers(connection)).toEqual(['8   c']);
  });

  it('are not read on while 64 KiB of answers wait', async () => {
    const connection = await setUp().connected('c'.repeat(1000));
    connection.isFull = true;
    const pings = Buffer.concat(Array.from({ length: 70 }, () => encodeFrame(7, '', '', 'c')));
    connection.handler.bytes(pings);
    let answered = (await connection.frames()).length;
    connection.handler.bytes(pings);
    expect(connection.pauses).toBeGreaterThan(0);
    expect(await connection.frames()).toEqual([]);
    connection.isFull = false;
    while (answered < 140) {
      connection.handler.drained();
      answered += (await connection.frames()).length;
    }
    await until(() => connection.pauses === 0);
  });
});

describe('messages', () => {
  it('reach every subscriber, in order, with the id that the publisher gave at CONNECT', async () => {
    const { connected } = setUp();
    const subscriber = await connected('sub', 'a/#');
    const publisher = await connected('real');
    const chunk = Buffer.concat([
      encodeFrame(2, 'a/1', 'own', 'real'),
      encodeFrame(2, 'a/1', 'forged', 'fake'),
      encodeFrame(2, 'a/2', 'empty', ''),
      encodeFrame(2, 'b', 'not wanted', 'real'),
      encodeFrame(2, 'a/1', 'again', 'real'),
      encodeFrame(2, 'a/1', 'agaio', 'real'),
      encodeFrame(2, 'a/1', 'longer forged', 'realer'),
    ]);
    const expected = [
      '2 a/1 own real',
      '2 a/1 forged real',
      '2 a/2 empty real',
      '2 a/1 again real',
      '2 a/1 agaio real',
      '2 a/1 longer forged real',
    ];
    publisher.handler.bytes(chunk);
    expect(await answers(subscriber)).toEqual(expected);
    for (const byte of chunk) publisher.handler.bytes(Uint8Array.of(byte));
    expect(await answers(subscriber)).toEqual(expected);
  });

  it('come back to a publisher that subscribed, each once though filters overlap', async () => {
    const connection = await setUp().connected('c', '#', 'a/+', 'a/b');
    connection.handler.bytes(encodeFrame(2, 'a/b', 'x', 'c'));
    expect(await answers(connection)).toEqual(['2 a/b x c']);
  });

  it('are matched by what is subscribed at their place in the stream', async () => {
    const connection = await setUp().connected('c');
    connection.handler.bytes(
      Buffer.concat([
        encodeFrame(2, 'a', '1', 'c'),
        encodeFrame(3, 'a', '', 'c'),
        encodeFrame(2, 'a', '2', 'c'),
        encodeFrame(5, 'a', '', 'c'),
        encodeFrame(2, 'a', '3', 'c'),
      ]),
    );
    expect(await answers(connection)).toEqual(['4 a  c', '2 a 2 c', '6 a  c']);
  });

  it('before a broken one are still delivered', async () => {
    const { connected } = setUp();
    const subscriber = await connected('sub', 'a');
    const publisher = await connected('pub');
    publisher.handler.bytes(
      Buffer.concat([
        encodeFrame(2, 'a', '1', 'pub'),
        encodeFrame(2, 'a', '2', 'pub'),
        encodeFrame(2, '+', '3', 'pub'),
      ]),
    );
    expect(await answers(subscriber)).toEqual(['2 a 1 pub', '2 a 2 pub']);
  });

  it('go to the members of a group in turn, also when they repeat', async () => {
    const { connected } = setUp();
    const one = await connected('one', '$share/g/a');
    const other = await connected('other', '$share/g/a');
    const publisher = await connected('pub');
    const frames = Array.from({ length: 10 }, (_, index) => encodeFrame(2, 'a', String(index), 'pub'));
    publisher.handler.bytes(Buffer.concat(frames));
    // A slow machine takes the chunk in several turns.
    const [gotByOne, gotByOther]: [string[], string[]] = [[], []];
    await until(async () => {
      gotByOne.push(...(await answers(one)));
      gotByOther.push(...(await answers(other)));
      return gotByOne.length + gotByOther.length === frames.length;
    });
    expect(gotByOne).toEqual(['0', '2', '4', '6', '8'].map((text) => `2 a ${text} pub`));
    expect(gotByOther).toEqual(['1', '3', '5', '7', '9'].map((text) => `2 a ${text} pub`));
  });

  it('are refused where the guard says so, and the guard is asked once for a topic', async () => {
    let asked = 0;
    const guard: Guard = {
      ...allowEverything,
      mayPublish(_, topic) {
        asked++;
        return topic === 'secret' ? 'not there' : undefined;
      },
    };
    const connection = await setUp({}, guard).connected('c');
    for (let count = 0; count < 5; count++) connection.handler.bytes(encodeFrame(2, 'open', 'x', 'c'));
    expect(asked).toBe(1);
    connection.handler.bytes(encodeFrame(2, 'secret', 'x', 'c'));
    expect(await answers(connection)).toEqual(["9  not-authorized: topic 'secret': not there c"]);
  });

  it('hold their publisher back while a subscriber is full, and release it afterwards', async () => {
    const { connected } = setUp();
    const subscriber = await connected('sub', 'a');
    const publisher = await connected('pub');
    const hundred = Buffer.concat(Array.from({ length: 100 }, () => encodeFrame(2, 'a', 'x', 'pub')));
    subscriber.isFull = true;
    publisher.handler.bytes(hundred);
    await subscriber.frames();
    publisher.handler.bytes(hundred);
    expect(publisher.pauses).toBe(1);
    subscriber.isFull = false;
    subscriber.handler.drained();
    expect(publisher.pauses).toBe(0);
    expect(await subscriber.frames()).toHaveLength(100);
  });
});

describe('the end', () => {
  it('by takeover is told to the older connection', async () => {
    const { connected, metrics } = setUp();
    const older = await connected('same', 'a');
    const newer = await connected('same');
    expect(await answers(older)).toEqual(["9  taken-over: client 'same' connected again from test same"]);
    expect(metrics.snapshot()).toMatchObject({
      clients_taken_over_total: 1,
      'disconnects_total{code="taken-over"}': 1,
    });
    expect(older.isEnded).toBe(true);
    newer.handler.bytes(encodeFrame(2, 'a', 'x', 'same'));
    expect(await answers(newer)).toEqual([]);
  });

  it('of the broker: publishers are told first and still heard, subscribers after their last message', async () => {
    const { door, connected } = setUp();
    const subscriber = await connected('sub', 'a');
    const publisher = await connected('pub');
    const closed = door.close(1000);
    expect(await answers(publisher)).toEqual(['9  server-shutdown: The broker is stopping. pub']);
    publisher.handler.bytes(
      Buffer.concat([encodeFrame(2, 'a', 'late', 'pub'), encodeFrame(7, '', '', 'pub')]),
    );
    expect(await answers(subscriber)).toEqual(['2 a late pub']);
    publisher.handler.closed();
    await until(() => subscriber.isEnded);
    expect(await answers(subscriber)).toEqual(['9  server-shutdown: The broker is stopping. sub']);
    subscriber.handler.closed();
    await closed;
  });

  it('comes to a client that is silent too long before and after CONNECT', async () => {
    const { open, connected } = setUp({ connectTimeoutMs: 1, keepAliveMs: 1 });
    const stranger = open(new Uint8Array(0));
    const client = await connected('c');
    await until(() => stranger.isEnded && client.isEnded);
    expect((await answers(stranger))[0]).toMatch(/^9 {2}connect-timeout: /);
    expect((await answers(client))[0]).toMatch(/^9 {2}keepalive-timeout: /);
  });
});

const allowEverything: Guard = {
  mayConnect: () => undefined,
  mayPublish: () => undefined,
  maySubscribe: () => undefined,
};

function setUp(settings: Partial<ClientDoorParts> = {}, guard?: Guard) {
  const metrics = new Metrics();
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const broker = withEndlessTurn(
    new Broker({
      settings: {
        maxClients: 100,
        channelSize: 100,
        channelBytes: 1e9,
        slowConsumer: 'drop-new',
        slowConsumerWaitMs: 60_000,
      },
      metrics,
      logger,
    }),
  );
  const admission = new Admission(undefined, guard && policyOfGuard(guard));
  const door = new FramesDoor({
    ...{ broker, metrics, logger, admission, sessions: sessionsOf(broker, metrics, logger) },
    ...{ maxMessageBytes: 1000, connectTimeoutMs: 60_000, keepAliveMs: 0 },
    ...settings,
  });

  function open(first: Uint8Array): FakeConnection {
    const connection = new FakeConnection();
    door.open(connection, first);
    return connection;
  }

  async function connected(clientId: string, ...filters: string[]): Promise<FakeConnection> {
    const requests = filters.map((filter) => encodeFrame(3, filter, '', clientId));
    const connection = open(Buffer.concat([connectFrame(clientId), ...requests]));
    expect(await connection.frames()).toHaveLength(1 + filters.length);
    return connection;
  }

  return { door, broker, metrics, open, connected };
}

function connectFrame(clientId: string): Uint8Array {
  return encodeFrame(FrameType.connect, '', '', clientId);
}

async function answers(connection: FakeConnection): Promise<string[]> {
  return (await connection.frames()).map(shown);
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}
