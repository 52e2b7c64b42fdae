import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { FrameType } from '../../internal/protocol/frame/frame.ts';
import {
  encodePosition,
  GOES_ON,
  parsePosition,
  parseReplayed,
} from '../../internal/protocol/frame/positions.ts';
import { connect, type Message, type ReplayFrom } from '../../pkg/client/index.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { type BrokerProcess, program, run, startBrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { connectRaw, RawClient } from '../support/raw-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let folders = 0;

function started(dataDir: string, address = 'localhost:0'): Promise<BrokerProcess> {
  return startBrokerProcess(['-address', address, '-keep', '#', '-data-dir', dataDir]);
}

function inMemory(): Promise<RunningBroker> {
  return startBroker({ listen: ['tcp://127.0.0.1:0'], memory: true, logs: [{ filter: '#' }] });
}

/** Publishes numbers to topics in turn, and waits until the logs have them. */
async function publish(url: string, topics: readonly string[], from: number, to: number): Promise<void> {
  await using publisher = await connect(url, { clientId: 'publisher' });
  for (let number = from; number < to; number++) {
    await publisher.publish(topics[number % topics.length]!, String(number));
  }
  await publisher.ping();
}

/** Waits until the logs have so many messages: those of a new topic are there a little later than PONG says. */
async function untilKept(url: string, count: number): Promise<void> {
  await using client = await connect(url);
  let kept = 0;
  await client.subscribe('#', () => kept++, { from: 'earliest' });
  await eventually(() => kept >= count, `${count} messages in the logs`);
}

/** A way to a broker that a test can cut, and that stays when the broker moves. */
class Way {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((near) => {
    const far = connectTcp({ port: this.port, host: 'localhost' });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => {}).on('close', () => other.destroySoon());
    }
    near.pipe(far);
    far.on('data', (chunk) => this.#pass(chunk, far, near));
  });
  /** Where the broker listens. */
  port = 0;
  /** Cut off after so many bytes from the broker. */
  bytesBeforeCut = Number.POSITIVE_INFINITY;
  cuts = 0;
  url = '';

  static async to(brokerUrl: string): Promise<Way> {
    const way = new Way();
    way.port = Number(new URL(brokerUrl).port);
    await new Promise<void>((resolve) => way.#server.listen(0, '127.0.0.1', resolve));
    way.url = `tcp://127.0.0.1:${(way.#server.address() as { port: number }).port}`;
    onTestFinished(() => {
      way.#server.close();
      way.cut();
    });
    return way;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  /** What came before the cut still arrives, up to the middle of a frame. */
  #pass(chunk: Buffer, far: Socket, near: Socket): void {
    if (far.destroyed) return;
    near.write(chunk.subarray(0, this.bytesBeforeCut));
    this.bytesBeforeCut -= chunk.length;
    if (this.bytesBeforeCut > 0) return;
    this.bytesBeforeCut = Number.POSITIVE_INFINITY;
    this.cuts++;
    far.destroy();
  }
}

/** A client that replays, and what its handler gets: the numbers by topic, and whether offsets follow each other. */
async function replaying(url: string, filter: string, from: ReplayFrom) {
  const client = await connect(url, { clientId: 'replaying', reconnect: { minDelayMs: 1, maxDelayMs: 20 } });
  onTestFinished(() => client.close());
  const byTopic = new Map<string, number[]>();
  const messages: Message[] = [];
  await client.subscribe(
    filter,
    (message) => {
      messages.push(message);
      byTopic.set(message.topic, [...(byTopic.get(message.topic) ?? []), Number(message.text())]);
    },
    { from },
  );
  return { client, byTopic, messages };
}

function every(step: number, from: number, to: number): number[] {
  const numbers: number[] = [];
  for (let number = from; number < to; number += step) numbers.push(number);
  return numbers;
}

describe('a message that a replay brings', () => {
  it('says where it stands and since when; a live one does not', async () => {
    await using broker = await inMemory();
    const before = Date.now();
    await publish(broker.url, ['a/b'], 0, 3);
    const after = Date.now();
    const { client, messages } = await replaying(broker.url, 'a/#', 1);
    const live: Message[] = [];
    await client.subscribe('a/b', (message) => live.push(message));
    await publish(broker.url, ['a/b'], 3, 4);
    await eventually(() => messages.length >= 3 && live.length >= 1, 'the messages');
    expect(messages.map(({ log, partition, offset }) => ({ log, partition, offset }))).toEqual([
      { log: 'a.b', partition: 0, offset: 1 },
      { log: 'a.b', partition: 0, offset: 2 },
      { log: 'a.b', partition: 0, offset: 3 },
    ]);
    expect(messages.map(({ clientId, size }) => [clientId, size])).toEqual(Array(3).fill(['publisher', 1]));
    const publishedAt = messages[0]!.publishedAt!.getTime();
    expect(publishedAt).toBeGreaterThanOrEqual(before);
    expect(publishedAt).toBeLessThanOrEqual(after);
    expect(
      live.map(({ log, partition, offset, publishedAt }) => [log, partition, offset, publishedAt]),
    ).toEqual([[undefined, undefined, undefined, undefined]]);
    await client.ping();
    expect([messages.length, live.length]).toEqual([3, 1]);
  });

  it('goes to the handlers of its own replay, of several that overlap', async () => {
    await using broker = await inMemory();
    await publish(broker.url, ['a'], 0, 4);
    await using client = await connect(broker.url);
    const seen: string[] = [];
    client.on('message', (message) => seen.push(`all ${message.offset}`));
    await client.subscribe('a', ({ offset }) => seen.push(`first ${offset}`), { from: 2 });
    await client.subscribe('#', ({ offset }) => seen.push(`second ${offset}`), { from: 3 });
    await eventually(() => seen.length >= 6, 'the messages');
    await client.ping();
    expect(seen.sort()).toEqual(['all 2', 'all 3', 'all 3', 'first 2', 'first 3', 'second 3']);
  });
});

describe('after a lost connection', () => {
  it.each<ReplayFrom>(['earliest', 'latest', 0, '-1h'])(
    'a replay from %s of a broker that was killed in the middle goes on behind what it had, in every log',
    async (from) => {
      const dataDir = join(folder, String(++folders));
      const topics = ['a', 'b/c', 'ä', 'never'].slice(0, 3);
      let broker = await started(dataDir);
      onTestFinished(() => broker[Symbol.asyncDispose]());
      await publish(broker.url, ['never', ...topics], 0, 8);
      await untilKept(broker.url, 8);
      const way = await Way.to(broker.url);
      const { client, byTopic, messages } = await replaying(way.url, '#', from);
      if (from !== 'latest') await eventually(() => messages.length >= 8, 'what was there');
      const had = from === 'latest' ? 0 : 8;
      await publish(broker.url, topics, 0, 6_000);
      await eventually(() => messages.length > had + 1_000, 'the middle');
      await broker.stop('SIGKILL');
      const atKill = messages.length;
      broker = await started(dataDir);
      way.port = Number(new URL(broker.url).port);
      await publish(broker.url, [...topics, 'never', 'new'], 6_000, 9_000);
      await eventually(() => messages.length >= had + 9_000, `all messages, of which there were ${atKill},`);
      await client.ping();
      expect(messages).toHaveLength(had + 9_000);
      for (const [index, topic] of topics.entries()) {
        const numbers = byTopic.get(topic)!.slice(had === 0 ? 0 : 2);
        expect(numbers).toEqual([...every(3, index, 6_000), ...every(5, 6_000 + index, 9_000)]);
      }
      expect(byTopic.get('never')!.slice(had === 0 ? 0 : 2)).toEqual(every(5, 6_003, 9_000));
      expect(byTopic.get('new')).toEqual(every(5, 6_004, 9_000));
    },
  );

  it('it goes on however often and wherever the connection is cut', async () => {
    await using broker = await inMemory();
    const topics = ['a', 'b', 'c', 'd'];
    await publish(broker.url, topics, 0, 4_000);
    const way = await Way.to(broker.url);
    way.bytesBeforeCut = 20_000;
    const { client, byTopic, messages } = await replaying(way.url, '#', 'earliest');
    client.on('connect', () => {
      if (way.cuts < 12) way.bytesBeforeCut = 19_997 + 1_117 * way.cuts;
    });
    await publish(broker.url, topics, 4_000, 6_000);
    await eventually(() => messages.length >= 6_000, 'all messages');
    expect(way.cuts).toBeGreaterThan(2);
    way.cuts = 12;
    way.bytesBeforeCut = Number.POSITIVE_INFINITY;
    await publish(broker.url, ['end'], 0, 1);
    await eventually(() => byTopic.has('end'), 'the last message');
    expect(messages).toHaveLength(6_001);
    for (const [index, topic] of topics.entries()) expect(byTopic.get(topic)).toEqual(every(4, index, 6_000));
  });

  it('a log that was deleted and made again meanwhile is read from its beginning', async () => {
    let broker = await inMemory();
    onTestFinished(() => broker.close());
    await publish(broker.url, ['a'], 0, 3);
    const way = await Way.to(broker.url);
    const { messages } = await replaying(way.url, 'a', 'earliest');
    await eventually(() => messages.length >= 3, 'the first log');
    await broker.close();
    // In memory the logs of the next broker are others, though they are called the same.
    broker = await inMemory();
    await publish(broker.url, ['a'], 10, 15);
    way.port = Number(new URL(broker.url).port);
    await eventually(() => messages.length >= 8, 'the second log');
    expect(messages.slice(3).map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4]);
  });

  it('one that was ended and begun again begins at its start', async () => {
    await using broker = await inMemory();
    await publish(broker.url, ['a'], 0, 3);
    await using client = await connect(broker.url);
    for (let round = 0; round < 3; round++) {
      const offsets: unknown[] = [];
      const subscription = await client.subscribe('a', ({ offset }) => offsets.push(offset), {
        from: 'earliest',
      });
      await eventually(() => offsets.length >= 3, 'what is there');
      expect(offsets).toEqual([0, 1, 2]);
      const ending = subscription.unsubscribe();
      if (round > 0) await ending;
    }
  });
});

describe('what is said on the connection', () => {
  async function agreed(url: string): Promise<RawClient> {
    const socket = connectTcp({ port: Number(new URL(url).port), host: '127.0.0.1' });
    const client = new RawClient(socket, 'raw');
    onTestFinished(() => client[Symbol.asyncDispose]());
    client.send(FrameType.connect, '', 'positions');
    expect(Buffer.from((await client.expect(FrameType.connack)).payload).toString()).toBe('positions');
    return client;
  }

  it('is the place of every log before SUBACK, then messages; and from there another connection goes on', async () => {
    await using broker = await inMemory();
    await publish(broker.url, ['a', 'b'], 0, 4);
    const client = await agreed(broker.url);
    client.send(FrameType.subscribe, '$replay/earliest/#');
    const told = [await client.expect(FrameType.position), await client.expect(FrameType.position)];
    await client.expect(FrameType.suback);
    const [a, b] = told.map(({ payload }) => parsePosition(payload)!);
    expect(told.map(({ topic }) => topic)).toEqual(Array(2).fill('$replay/earliest/#'));
    expect([a, b]).toMatchObject([
      { reader: 1, partition: 0, offset: 0, log: 'a' },
      { reader: 2, partition: 0, offset: 0, log: 'b' },
    ]);
    const messages = await client.messages(4);
    expect(
      messages
        .map(({ type, topic, payload, clientId }) => {
          const { reader, offset } = parseReplayed(payload, 0, payload.length)!;
          return [type, topic, reader, offset, Buffer.from(payload.subarray(20)).toString(), clientId];
        })
        .sort(),
    ).toEqual([
      [FrameType.replayed, 'a', 1, 0, '0', 'publisher'],
      [FrameType.replayed, 'a', 1, 1, '2', 'publisher'],
      [FrameType.replayed, 'b', 2, 0, '1', 'publisher'],
      [FrameType.replayed, 'b', 2, 1, '3', 'publisher'],
    ]);

    const other = await agreed(broker.url);
    for (const position of [
      { ...a!, offset: 1 },
      { ...b!, offset: 2 },
      { ...b!, offset: 0, log: 'nowhere' },
      { ...b!, offset: 0, partition: 9 },
    ]) {
      other.stream.write(encodePosition('$replay/earliest/#', position, 'raw'));
    }
    other.send(FrameType.subscribe, '$replay/earliest/#', GOES_ON);
    const places = [await other.expect(FrameType.position), await other.expect(FrameType.position)];
    expect(places.map(({ payload }) => parsePosition(payload)!.offset)).toEqual([1, 2]);
    await other.expect(FrameType.suback);
    const { payload } = await other.expect(FrameType.replayed);
    expect(Buffer.from(payload.subarray(20)).toString()).toBe('2');
    await other.expectSilence();
  });

  it('ends where a POSITION says nothing', async () => {
    await using broker = await inMemory();
    const client = await agreed(broker.url);
    client.send(FrameType.position, '$replay/earliest/#', 'x');
    expect(await client.expectRefusal()).toBe('unexpected-frame: a POSITION of 1 bytes says nothing');
  });

  it('is plain frames where nothing was agreed on, whatever the client sends', async () => {
    await using broker = await inMemory();
    await publish(broker.url, ['a'], 0, 1);
    await using client = await connectRaw(broker.url, 'plain');
    client.send(FrameType.position, '$replay/earliest/a', 'x');
    client.send(FrameType.subscribe, '$replay/earliest/a', GOES_ON);
    await client.expect(FrameType.suback);
    expect(await client.message()).toEqual(['a', '0', 'publisher']);
    await client.expectSilence();
  });
});

describe('subscriber', () => {
  it('prints offsets, and goes on with -from behind the last one', async () => {
    await using broker = await started(join(folder, String(++folders)));
    await publish(broker.url, ['a/b'], 0, 10);
    const address = ['-address', new URL(broker.url).host, '-topic', 'a/b'];
    const format = ['-format', '%o %L %n %P %p'];
    const first = await run(program('subscriber'), [
      ...address,
      '-from',
      'earliest',
      '-count',
      '4',
      ...format,
    ]);
    const lines = first.stdout.trim().split('\n');
    expect(lines).toHaveLength(4);
    const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z';
    expect(lines[3]).toMatch(new RegExp(`^3 a\\.b 0 ${time} 3$`));
    const last = Number(lines.at(-1)!.split(' ')[0]);
    const next = await run(program('subscriber'), [
      ...address,
      '-from',
      String(last + 1),
      '-count',
      '6',
      '-json',
    ]);
    const objects = next.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(objects.map(({ payload, offset }) => [payload, offset])).toEqual(
      every(1, 4, 10).map((number) => [String(number), number]),
    );
    expect(objects[0]).toMatchObject({ topic: 'a/b', log: 'a.b', partition: 0 });
    expect(Date.parse(objects[0].publishedAt)).toBeLessThanOrEqual(Date.parse(objects[0].time));
  });
});
