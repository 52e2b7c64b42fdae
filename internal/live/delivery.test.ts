import { describe, expect, it } from 'vitest';
import { accessOfTest } from '../../test/support/access.ts';
import { KeptLog, openLogs, turn } from '../../test/support/logs.ts';
import { sessionOf, sessionsOf } from '../../test/support/sessions.ts';
import { type BatchOptions, buildBatch } from '../batch/build.ts';
import { parseBatchHeader } from '../batch/record-batch.ts';
import { Broker } from '../broker/broker.ts';
import type { Encoding, Message, Publication } from '../broker/delivery/publication.ts';
import type { Receipt } from '../broker/delivery/receipt.ts';
import { simpleSubscription } from '../broker/sessions/subscription.ts';
import type { LogsOptions, TopicLog } from '../log/logs.ts';
import { Metrics } from '../observe/metrics.ts';
import type { TransactionStep } from '../store/transactions.ts';
import { Capture, MIXED_CONFIG } from './capture.ts';
import { Delivery } from './delivery.ts';

/** Messages as lines of text. */
const lines: Encoding = {
  name: 'lines',
  decode: () => [],
  encode: (messages: readonly Message[]) =>
    Buffer.from(messages.map(({ topic, payload }) => `${topic} ${Buffer.from(payload)}\n`).join('')),
};

async function delivering(options: Partial<LogsOptions> = {}, takes = () => true) {
  const { logs, store } = await openLogs(options);
  const metrics = new Metrics();
  const log = new KeptLog();
  const settings = {
    maxClients: 10,
    channelSize: 100,
    channelBytes: 1e6,
    slowConsumer: 'drop-new' as const,
    slowConsumerWaitMs: 1_000,
  };
  const broker = new Broker({ settings, metrics, logger: log });
  const received: string[] = [];
  const client = broker.connect({
    access: accessOfTest('one'),
    encoding: lines,
    host: {
      write: (buffers) => received.push(Buffer.concat(buffers).toString()) > 0 && takes(),
      standingFilters: () => [],
      refuse() {},
    },
  });
  const session = sessionOf(sessionsOf(broker, metrics), client);
  const subscribe = (filter: string) => session.subscribe(simpleSubscription(filter));
  return {
    logs,
    store,
    broker,
    client,
    session,
    subscribe,
    log,
    metrics,
    received,
    delivery: new Delivery(logs, broker, log),
  };
}

function batchOf(texts: string[], options: BatchOptions = {}, topic?: string): Uint8Array {
  const headers = topic === undefined ? [] : [{ key: 'tinymq.topic', value: Buffer.from(topic) }];
  const records = texts.map((text) => ({ timestamp: 1, key: null, value: Buffer.from(text), headers }));
  return buildBatch(records, options);
}

/** Appends a batch as a door does; resolves when it is durable. */
async function append(topic: TopicLog, bytes: Uint8Array, transaction?: TransactionStep): Promise<void> {
  const { recordCount: count } = parseBatchHeader(bytes, 0);
  await topic.partitions[0].append({ bytes, count, maxTimestamp: 1, transaction });
}

/** Appends as a door does, and resolves when the door would answer. */
async function produce(delivery: Delivery, topic: TopicLog, bytes: Uint8Array): Promise<void> {
  await append(topic, bytes);
  await delivery.settled(topic.partitions[0]);
}

describe('what came into a log', () => {
  // A batch of 1.8 million records held everybody for seconds.
  it('as a large batch is delivered in pieces, in order, and what comes behind it waits', async () => {
    const { logs, subscribe, received, metrics, delivery } = await delivering();
    subscribe('large');
    const topic = await logs.createTopic('large', 1, {});
    const texts = Array.from({ length: 50_000 }, (_, index) => String(index));
    const batch = batchOf(texts);
    const done = produce(delivery, topic, batch);
    const behind = produce(delivery, topic, batchOf(['behind']));
    await turn();
    expect(received.join('')).not.toContain('behind');
    await done;
    await behind;
    await turn();
    const lines = received.join('').trimEnd().split('\n');
    expect(lines).toEqual([...texts, 'behind'].map((text) => `large ${text}`));
    expect(metrics.snapshot().messages_received_total).toBe(50_001);
    expect(metrics.snapshot().message_bytes_received_total).toBe(batch.length + batchOf(['behind']).length);
  });

  it('as a large batch stops while its subscriber is full, and loses nothing', async () => {
    const { logs, subscribe, received, delivery } = await delivering();
    subscribe('large');
    const topic = await logs.createTopic('large', 1, {});
    const texts = Array.from({ length: 20_000 }, (_, index) => String(index));
    await produce(delivery, topic, batchOf(texts, { compression: 'gzip' }));
    await turn();
    expect(received.join('').trimEnd().split('\n')).toHaveLength(20_000);
  });

  it('as a large batch that is damaged is reported, and what comes behind it is delivered', async () => {
    const { logs, subscribe, received, log, delivery } = await delivering();
    subscribe('large');
    const topic = await logs.createTopic('large', 1, {});
    const damaged = batchOf(Array.from({ length: 5_000 }, () => 'x')).fill(0xff, 61);
    await produce(delivery, topic, damaged);
    await produce(delivery, topic, batchOf(['whole']));
    await turn();
    expect(received.join('')).toBe('large whole\n');
    expect(log.lines).toHaveLength(1);
  });

  // The log of a topic is a target of it too: every batch that was produced was opened for it, and then passed over.
  it('is not opened for the log that it came into', async () => {
    const { logs, broker, log, metrics, delivery } = await delivering();
    broker.attach('#', new Capture({ logs, metrics, log }));
    const topic = await logs.createTopic('sensors.temp', 1, {});
    await append(topic, batchOf(['1']).fill(0xff, 61));
    expect(delivery.settled(topic.partitions[0])).toBeUndefined();
    expect(log.lines).toEqual([]);
  });

  it.each(['none', 'gzip', 'lz4'] as const)('is delivered live (compression %s)', async (compression) => {
    const { logs, subscribe, received, delivery } = await delivering();
    subscribe('sensors/+');
    const topic = await logs.createTopic('sensors.temp', 1, {});
    await produce(delivery, topic, batchOf(['1', '2'], { compression }));
    await turn();
    expect(received.join('')).toBe('sensors/temp 1\nsensors/temp 2\n');
  });

  it('is not opened where nobody listens', async () => {
    const { logs, delivery, log } = await delivering();
    const topic = await logs.createTopic('sensors.temp', 1, {});
    await produce(delivery, topic, batchOf(['1']).fill(0xff, 61));
    expect(log.lines).toEqual([]);
  });

  it('is told of where it cannot be read', async () => {
    const { logs, subscribe, delivery, log } = await delivering();
    subscribe('#');
    const topic = await logs.createTopic('sensors.temp', 1, {});
    await produce(delivery, topic, batchOf(['1']).fill(0xff, 61));
    expect(log.lines).toEqual(['warn: a batch cannot be read for live subscribers']);
  });

  it('goes to the topics of its messages where the log has many', async () => {
    const { logs, subscribe, received, delivery } = await delivering();
    subscribe('a/#');
    const topic = await logs.createTopic('all', 1, { [MIXED_CONFIG]: 'true' });
    await produce(delivery, topic, batchOf(['x'], {}, 'a/b'));
    await produce(delivery, topic, batchOf(['y'], {}, 'b'));
    await turn();
    expect(received.join('')).toBe('a/b x\n');
  });

  it('leaves out marks of transactions', async () => {
    const { logs, subscribe, received } = await delivering();
    subscribe('#');
    const topic = await logs.createTopic('a', 1, {});
    await append(topic, batchOf(['commit'], { isControl: true, producerId: 1 }));
    await turn();
    expect(received).toEqual([]);
  });

  it('is with those who keep it when what it answers resolves', async () => {
    const { logs, broker, subscribe, delivery } = await delivering();
    subscribe('a/b');
    const topic = await logs.createTopic('a.b', 1, {});
    await append(topic, batchOf(['nobody keeps it']));
    expect(delivery.settled(topic.partitions[0])).toBeUndefined();
    const held: (Receipt | undefined)[] = [];
    const deliver = ({ receipt }: Publication) => {
      receipt?.hold();
      held.push(receipt);
    };
    broker.attach('a/b', { isFull: false, holdBack() {}, deliver });
    const answered: string[] = [];
    const first = produce(delivery, topic, batchOf(['first'])).then(() => answered.push('first'));
    await turn();
    const second = produce(delivery, topic, batchOf(['second'])).then(() => answered.push('second'));
    await turn();
    expect([held.length, answered]).toEqual([2, []]);
    // One that is written first waits for those before it.
    held[1]!.letGo();
    await turn();
    expect(answered).toEqual([]);
    held[0]!.letGo();
    await Promise.all([first, second]);
    // Nobody waits for what comes behind his own, and a large batch is kept when each of its pieces is.
    const large = produce(delivery, topic, batchOf(Array.from({ length: 5_000 }, () => 'x')));
    await expect.poll(() => held.length).toBe(5);
    const behind = produce(delivery, topic, batchOf(['behind']));
    await turn();
    for (const piece of held.slice(2, 5)) piece!.letGo();
    await large;
    expect(held).toHaveLength(6);
    held[5]!.letGo();
    await behind;
  });

  it('is captured by other logs, and not again by its own', async () => {
    const { logs, broker, log, metrics, delivery } = await delivering();
    const own = new Capture({ logs, metrics, log });
    const all = new Capture({ logs, metrics, log, logName: 'all' });
    broker.attach('#', own);
    broker.attach('#', all);
    const topic: TopicLog = await logs.createTopic('a.b', 1, {});
    await produce(delivery, topic, batchOf(['x', 'y']));
    await Promise.all([own.drained(), all.drained()]);
    expect(topic.partitions[0].highWatermark).toBe(2);
    expect(logs.topic('all')!.partitions[0].highWatermark).toBe(2);
  });
});

describe('a follower of a log', () => {
  it('leaves out what was published live', async () => {
    const { logs, subscribe, received, delivery } = await delivering();
    subscribe('a');
    const topic = await logs.createTopic('a', 1, {});
    const bytes = batchOf(['captured']);
    await topic.partitions[0].append({ bytes, count: 1, maxTimestamp: 1, isPublished: true });
    await produce(delivery, topic, batchOf(['produced']));
    await turn();
    expect(received.join('')).toBe('a produced\n');
  });

  it('leaves to another node what that leads', async () => {
    const { logs, store, subscribe, received, delivery } = await delivering({
      leadership: { leaderOf: () => 2 },
      elsewhere: { forward: async () => 0, deleteUntil: async () => {} },
    });
    subscribe('a');
    const topic = await logs.createTopic('a', 1, {});
    await produce(delivery, topic, batchOf(['x']));
    const { id } = topic.partitions[0];
    store.emit({ kind: 'advanced', partition: id, nextOffset: 1, maxTimestamp: 1, sizeBytes: 1 });
    await turn();
    expect(received).toEqual([]);
  });

  it('delivers a transaction when it is committed, and what others wrote at once', async () => {
    const { logs, subscribe, received, delivery } = await delivering();
    subscribe('a');
    const topic = await logs.createTopic('a', 1, {});
    const write = (producerId: number, text: string) =>
      append(
        topic,
        batchOf([text], { isTransactional: true, producerId, producerEpoch: 0, baseSequence: 0 }),
        {
          producerId,
          kind: 'records',
        },
      );
    const end = (producerId: number, kind: 'commit' | 'abort') =>
      append(topic, batchOf([''], { isTransactional: true, isControl: true, producerId, producerEpoch: 0 }), {
        producerId,
        kind,
      });
    await write(1, 'one of the first');
    await write(2, 'one of the second');
    await produce(delivery, topic, batchOf(['outside']));
    await write(1, 'two of the first');
    await write(2, 'two of the second');
    await turn();
    expect(received.join('')).toBe('a outside\n');
    await end(2, 'abort');
    await end(1, 'commit');
    await delivery.settled(topic.partitions[0]);
    await turn();
    expect(received.join('')).toBe('a outside\na one of the first\na two of the first\n');
  });

  it('that falls behind a full subscriber reads what it missed from the log, once and in order', async () => {
    const { logs, subscribe, received, delivery } = await delivering();
    subscribe('a');
    const topic = await logs.createTopic('a', 1, {});
    const texts = Array.from({ length: 3_000 }, (_, index) => String(index));
    // Each fills the channel of 100 messages.
    const batches = Array.from({ length: 20 }, (_, index) => texts.slice(index * 150, (index + 1) * 150));
    await Promise.all(batches.map((batch) => produce(delivery, topic, batchOf(batch))));
    await turn();
    expect(received.join('')).toBe(texts.map((text) => `a ${text}\n`).join(''));
  });

  it('lets an answer wait while a subscriber is full', async () => {
    let takesAll = false;
    const { logs, client, subscribe, delivery } = await delivering({}, () => takesAll);
    subscribe('a');
    const topic = await logs.createTopic('a', 1, {});
    await produce(delivery, topic, batchOf(['the socket is blocked from here on']));
    await turn();
    let isAnswered = false;
    const answered = produce(delivery, topic, batchOf(Array.from({ length: 200 }, () => 'x'))).then(() => {
      isAnswered = true;
    });
    await turn();
    await turn();
    expect(isAnswered).toBe(false);
    takesAll = true;
    client.channel.ready();
    await answered;
  });

  it('that finds a part of the log damaged reports it and goes on behind it', async () => {
    const { logs, store, subscribe, received, log, delivery } = await delivering({ tailCacheBytes: 1 });
    subscribe('a');
    const topic = await logs.createTopic('a', 1, {});
    store.damaged.add(0);
    await produce(delivery, topic, batchOf(Array.from({ length: 3_000 }, () => 'x')));
    await produce(delivery, topic, batchOf(['whole']));
    await turn();
    expect(received.join('')).toBe('a whole\n');
    expect(log.lines).toEqual(['warn: a batch cannot be read for live subscribers']);
  });
});

describe('whether a log is followed', () => {
  it('changes with the first subscriber and the last', async () => {
    const { logs, session, subscribe, received, delivery } = await delivering();
    const topic = await logs.createTopic('a.b', 1, {});
    const other = await logs.createTopic('c', 1, {});
    await produce(delivery, topic, batchOf(['nobody']));
    for (const filter of ['a/b', 'a/+', '$share/g/a/b']) {
      subscribe(filter);
      await produce(delivery, topic, batchOf([filter]));
      await produce(delivery, other, batchOf(['nobody']));
      session.unsubscribe(filter);
      await produce(delivery, topic, batchOf(['nobody']));
    }
    await turn();
    expect(received.join('')).toBe('a/b a/b\na/b a/+\na/b $share/g/a/b\n');
  });
});
