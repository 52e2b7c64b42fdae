import { describe, expect, it } from 'vitest';
import { accessOfTest } from '../../test/support/access.ts';
import { KeptLog, openLogs, turn } from '../../test/support/logs.ts';
import { type BatchOptions, buildBatch } from '../batch/build.ts';
import { Broker } from '../broker/broker.ts';
import type { Encoding, Message } from '../broker/delivery/publication.ts';
import { noSessionStore } from '../broker/sessions/session-store.ts';
import type { TopicLog } from '../log/logs.ts';
import { Metrics } from '../observe/metrics.ts';
import { Capture, MIXED_CONFIG } from './capture.ts';
import { Delivery } from './delivery.ts';

const SOURCE = { pause() {}, resume() {} };

/** Messages as lines of text. */
const lines: Encoding = {
  name: 'lines',
  decode: () => [],
  encode: (messages: readonly Message[]) =>
    Buffer.from(messages.map(({ topic, payload }) => `${topic} ${Buffer.from(payload)}\n`).join('')),
};

async function delivering() {
  const { logs } = await openLogs();
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
    sink: { write: (buffers) => received.push(Buffer.concat(buffers).toString()) > 0 },
    source: SOURCE,
    standingFilters: () => [],
    disconnect() {},
  });
  return { logs, broker, client, log, metrics, received, delivery: new Delivery(broker, log) };
}

function batchOf(texts: string[], options: BatchOptions = {}, topic?: string): Uint8Array {
  const headers = topic === undefined ? [] : [{ key: 'tinymq.topic', value: Buffer.from(topic) }];
  const records = texts.map((text) => ({ timestamp: 1, key: null, value: Buffer.from(text), headers }));
  return buildBatch(records, options);
}

describe('what came into a log', () => {
  // A batch of 1.8 million records held everybody for seconds.
  it('as a large batch is delivered in pieces, in order, and what comes behind it waits', async () => {
    const { logs, broker, client, received, metrics, delivery } = await delivering();
    broker.subscribe(client, 'large');
    const topic = await logs.createTopic('large', 1, {});
    const texts = Array.from({ length: 50_000 }, (_, index) => String(index));
    const batch = batchOf(texts);
    const done = delivery.deliver(topic, batch, SOURCE);
    const behind = delivery.deliver(topic, batchOf(['behind']), SOURCE);
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
    const { logs, broker, client, received, delivery } = await delivering();
    broker.subscribe(client, 'large');
    const topic = await logs.createTopic('large', 1, {});
    let pauses = 0;
    const source = { pause: () => void pauses++, resume: () => void pauses-- };
    const texts = Array.from({ length: 20_000 }, (_, index) => String(index));
    await delivery.deliver(topic, batchOf(texts, { compression: 'gzip' }), source);
    await turn();
    expect(received.join('').trimEnd().split('\n')).toHaveLength(20_000);
    expect(pauses).toBe(0);
  });

  it('as a large batch that is damaged is reported, and what comes behind it is delivered', async () => {
    const { logs, broker, client, received, log, delivery } = await delivering();
    broker.subscribe(client, 'large');
    const topic = await logs.createTopic('large', 1, {});
    const damaged = batchOf(Array.from({ length: 5_000 }, () => 'x')).fill(0xff, 61);
    await delivery.deliver(topic, damaged, SOURCE);
    await delivery.deliver(topic, batchOf(['whole']), SOURCE);
    await turn();
    expect(received.join('')).toBe('large whole\n');
    expect(log.lines).toHaveLength(1);
  });

  // The log of a topic is a target of it too: every batch that was produced was opened for it, and then passed over.
  it('is not opened for the log that it came into', async () => {
    const { logs, broker, log, metrics, delivery } = await delivering();
    broker.tap('#', new Capture({ logs, metrics, log }));
    const topic = await logs.createTopic('sensors.temp', 1, {});
    expect(delivery.deliver(topic, batchOf(['1']).fill(0xff, 61), SOURCE)).toBeUndefined();
    expect(log.lines).toEqual([]);
  });

  it.each(['none', 'gzip', 'lz4'] as const)('is delivered live (compression %s)', async (compression) => {
    const { logs, broker, client, received, delivery } = await delivering();
    broker.subscribe(client, 'sensors/+');
    const topic = await logs.createTopic('sensors.temp', 1, {});
    delivery.deliver(topic, batchOf(['1', '2'], { compression }), SOURCE);
    await turn();
    expect(received.join('')).toBe('sensors/temp 1\nsensors/temp 2\n');
  });

  it('is not opened where nobody listens', async () => {
    const { logs, delivery, log } = await delivering();
    const topic = await logs.createTopic('sensors.temp', 1, {});
    delivery.deliver(topic, new Uint8Array([1, 2, 3]), SOURCE);
    expect(log.lines).toEqual([]);
  });

  it('is told of where it cannot be read', async () => {
    const { logs, broker, client, delivery, log } = await delivering();
    broker.subscribe(client, '#');
    const topic = await logs.createTopic('sensors.temp', 1, {});
    delivery.deliver(topic, new Uint8Array([1, 2, 3]), SOURCE);
    expect(log.lines).toEqual(['warn: a batch cannot be read for live subscribers']);
  });

  it('goes to the topics of its messages where the log has many', async () => {
    const { logs, broker, client, received, delivery } = await delivering();
    broker.subscribe(client, 'a/#');
    const topic = await logs.createTopic('all', 1, { [MIXED_CONFIG]: 'true' });
    delivery.deliver(topic, batchOf(['x'], {}, 'a/b'), SOURCE);
    delivery.deliver(topic, batchOf(['y'], {}, 'b'), SOURCE);
    await turn();
    expect(received.join('')).toBe('a/b x\n');
  });

  it('leaves out marks of transactions', async () => {
    const { logs, broker, client, received, delivery } = await delivering();
    broker.subscribe(client, '#');
    const topic = await logs.createTopic('a', 1, {});
    delivery.deliver(topic, batchOf(['commit'], { isControl: true, producerId: 1 }), SOURCE);
    await turn();
    expect(received).toEqual([]);
  });

  it('is with those who keep it when what it answers resolves', async () => {
    const { logs, broker, client, delivery } = await delivering();
    broker.subscribe(client, 'a/b');
    const topic = await logs.createTopic('a.b', 1, {});
    let written = () => {};
    const store = {
      ...noSessionStore,
      writes: 0,
      whenDurable(done: () => void) {
        written = done;
      },
    };
    delivery.store = store;
    expect(delivery.deliver(topic, batchOf(['nobody keeps it']), SOURCE)).toBeUndefined();
    broker.tap('a/b', { isFull: false, holdBack() {}, deliver: () => store.writes++ });
    let isKept = false;
    void delivery.deliver(topic, batchOf(['kept']), SOURCE)!.then(() => {
      isKept = true;
    });
    await turn();
    expect(isKept).toBe(false);
    written();
    await turn();
    expect(isKept).toBe(true);
  });

  it('is captured by other logs, and not again by its own', async () => {
    const { logs, broker, log, metrics, delivery } = await delivering();
    const own = new Capture({ logs, metrics, log });
    const all = new Capture({ logs, metrics, log, logName: 'all' });
    broker.tap('#', own);
    broker.tap('#', all);
    const topic: TopicLog = await logs.createTopic('a.b', 1, {});
    delivery.deliver(topic, batchOf(['x', 'y']), SOURCE);
    await Promise.all([own.drained(), all.drained()]);
    expect(topic.partitions[0].highWatermark).toBe(0);
    expect(logs.topic('all')!.partitions[0].highWatermark).toBe(2);
  });
});
