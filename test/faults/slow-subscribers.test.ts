import { describe, expect, it } from 'vitest';
import WebSocket, { createWebSocketStream } from 'ws';
import { encodeFrame, FrameType } from '../../internal/protocol/frame/frame.ts';
import { connectMqtt, RawMqtt } from '../mqtt/client.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { connectRaw, type RawClient } from '../support/raw-client.ts';

const MiB = 1024 ** 2;
const PAYLOAD_BYTES = 64 * 1024;
/** Far more than every buffer between the broker and a stuck subscriber holds. */
const MESSAGES = 4000;
/** Fewer and smaller than what a channel holds before it is full. */
const STEP = 50;
const STUCK_FLAGS = ['-address', 'localhost:0', '-slow-consumer-wait', '1.5'];

describe('a subscriber that stops reading', () => {
  it.each(['drop-new', 'drop-oldest'])('stops nobody, and loss is counted: %s', async (policy) => {
    await using broker = await startBrokerProcess([...STUCK_FLAGS, '-slow-consumer', policy]);
    const { stuck, fast, publisher } = await clientsOf(broker);
    const fastNumbers = numbersOf(fast);
    await publishInStep(publisher, fastNumbers);
    expect(fastNumbers).toEqual(range(0, MESSAGES));
    expect(broker.memory()).toBeLessThan(400 * MiB);

    const dropped = (await broker.stats()).dropped as number;
    expect(dropped).toBeGreaterThan(0);
    expect(slowLines(broker)).toMatchObject([{ client: 'stuck', policy }]);

    const stuckNumbers = numbersOf(stuck);
    stuck.stream.resume();
    await broker.logged({ msg: 'a slow subscriber takes messages again', client: 'stuck', dropped });
    await publishAll(publisher, MESSAGES, 1);
    await eventually(() => stuckNumbers.includes(MESSAGES), 'a message after the episode');
    expect(stuckNumbers).toHaveLength(MESSAGES + 1 - dropped);
    expect(stuckNumbers).toEqual([...stuckNumbers].sort((a, b) => a - b));
    // One hole, where the messages of the episode were: after the first that waited, or before the last.
    const holes = stuckNumbers.filter((number, index) => number !== (stuckNumbers[index - 1] ?? -1) + 1);
    expect(holes).toHaveLength(1);
    if (policy === 'drop-new') expect(holes).toEqual([MESSAGES]);
    else expect(stuckNumbers.slice(-2)).toEqual([MESSAGES - 1, MESSAGES]);
  });

  it('is disconnected with -slow-consumer disconnect', async () => {
    await using broker = await startBrokerProcess([...STUCK_FLAGS, '-slow-consumer', 'disconnect']);
    const { stuck, fast, publisher } = await clientsOf(broker);
    const fastNumbers = numbersOf(fast);
    const stuckNumbers = numbersOf(stuck);
    await publishInStep(publisher, fastNumbers);
    await broker.logged({ code: 'slow-consumer', msg: 'a client was disconnected', client: 'stuck' });
    expect((await broker.stats()).clients).toBe(2);
    stuck.stream.resume();
    await stuck.closed();
    expect(stuckNumbers).toEqual(range(0, stuckNumbers.length));
    expect(stuckNumbers.length).toBeLessThan(MESSAGES);
    expect(slowLines(broker)).toHaveLength(1);
  });
});

describe('a subscriber that is a little slower than its publisher', () => {
  it('loses nothing: the publisher waits', async () => {
    await using broker = await startBrokerProcess([
      ...['-address', 'localhost:0', '-channel-size', '10', '-channel-bytes', '1MiB'],
      ...['-slow-consumer-wait', '60'],
    ]);
    await using subscriber = await connectRaw(broker.url, 'little-slower');
    await using publisher = await connectRaw(broker.url, 'publisher');
    await subscriber.subscribe('load');
    const numbers = numbersOf(subscriber);
    subscriber.stream.on('data', () => {
      subscriber.stream.pause();
      setTimeout(() => subscriber.stream.resume(), 1);
    });
    await publishAll(publisher, 0, 1000);
    await eventually(() => numbers.length === 1000, 'every message');
    expect(numbers).toEqual(range(0, 1000));
    expect((await broker.stats()).dropped).toBe(0);
    expect(slowLines(broker)).toEqual([]);
  });
});

async function clientsOf(broker: BrokerProcess) {
  const stuck = await connectRaw(broker.url, 'stuck');
  const fast = await connectRaw(broker.url, 'fast');
  const publisher = await connectRaw(broker.url, 'publisher');
  await stuck.subscribe('load');
  await fast.subscribe('load');
  stuck.stream.pause();
  return { stuck, fast, publisher };
}

/** Publishes messages that begin with their number, and waits for the connection to take them. */
async function publishAll(publisher: RawClient, first: number, count: number): Promise<void> {
  for (let number = first; number < first + count; number++) {
    const payload = Buffer.alloc(PAYLOAD_BYTES);
    payload.writeUInt32BE(number);
    const hasRoom = publisher.stream.write(
      encodeFrame(FrameType.publish, 'load', payload, publisher.clientId),
    );
    if (!hasRoom) await new Promise((resolve) => publisher.stream.once('drain', resolve));
  }
}

/**
 * Publishes all messages, but never more ahead of the fast subscriber than its channel holds: however long this
 * machine stops for, the fast one is never slow.
 */
async function publishInStep(publisher: RawClient, fastNumbers: readonly number[]): Promise<void> {
  for (let first = 0; first < MESSAGES; first += STEP) {
    await publishAll(publisher, first, STEP);
    await eventually(() => fastNumbers.length === first + STEP, 'everything at the fast subscriber');
  }
}

/** The numbers of the messages, as they come; nothing else is kept of them. */
function numbersOf(client: RawClient): number[] {
  const numbers: number[] = [];
  client.consume(({ type, payload }) => {
    if (type === FrameType.publish)
      numbers.push(new DataView(payload.buffer, payload.byteOffset).getUint32(0));
  });
  return numbers;
}

function slowLines(broker: BrokerProcess): object[] {
  return broker.log().filter(({ msg }) => msg === 'a subscriber does not take its messages');
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

// Each of twenty stuck subscribers cost its publisher a second, one after the other, whatever they spoke.
describe('many subscribers that stop reading', () => {
  // Long beside what a busy machine takes for the rest.
  const WAIT_S = 10;
  const EACH = 4;

  it('one after the other, by frames and MQTT, cost a publisher one wait in all', {
    timeout: 240_000,
  }, async () => {
    await using broker = await startBrokerProcess([
      ...['-address', 'localhost:0', '-listen', 'ws://localhost:0'],
      ...['-slow-consumer-wait', String(WAIT_S), '-channel-size', '100', '-memory'],
    ]);
    await using publisher = await connectRaw(broker.url, 'publisher');
    await using fast = await connectRaw(broker.url, 'fast');
    await fast.subscribe('load');
    const numbers = numbersOf(fast);
    let published = 0;
    const publishSome = async (count: number) => {
      await publishAll(publisher, published, count);
      published += count;
      await eventually(() => numbers.length === published, 'everything at the fast subscriber');
    };
    const streams: { destroy(): void }[] = [];
    const beganAt = performance.now();
    for (let index = 0; index < 3 * EACH; index++) {
      streams.push(await stuckSubscriber(broker, index));
      await publishSome(2 * STEP);
      await publishSome(2 * STEP);
    }
    const tookS = (performance.now() - beganAt) / 1000;
    expect(slowLines(broker)).toHaveLength(3 * EACH);
    // One wait for each of them would be 120 seconds.
    expect(tookS).toBeLessThan((3 * EACH * WAIT_S) / 2);
    for (const stream of streams) stream.destroy();
  });

  /** A subscriber to `load` that reads nothing after its SUBACK, by frames, MQTT or MQTT over WebSocket in turn. */
  async function stuckSubscriber(broker: BrokerProcess, index: number): Promise<{ destroy(): void }> {
    if (index % 3 === 0) {
      const client = await connectRaw(broker.url, `stuck-${index}`);
      await client.subscribe('load');
      client.stream.pause();
      return client.stream;
    }
    const client =
      index % 3 === 1 ? await connectMqtt(broker.url, 4) : await connectByWebSocket(broker.urls[1]);
    await client.subscribe('load', index % 2 === 0 ? 0 : 1);
    client.stream.pause();
    return client.stream;
  }
});

async function connectByWebSocket(url: string): Promise<RawMqtt> {
  const socket = new WebSocket(`${url}/mqtt`, ['mqtt']);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const client = new RawMqtt(createWebSocketStream(socket), 5);
  await client.connect();
  return client;
}
