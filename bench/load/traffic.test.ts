import { describe, expect, test } from 'vitest';
import { FrameDecoder } from '../../internal/protocol/frame/decoder.ts';
import { matchesFilter } from '../../internal/topic.ts';
import { cases } from '../cases.ts';
import { mosquitto } from '../peers/mosquitto.ts';
import { nats } from '../peers/nats.ts';
import { frames } from '../peers/tinymq.ts';
import type { Workload } from '../workload.ts';
import { deepFilters, deepTopics, trafficOf } from './traffic.ts';

const oneToTen: Workload = {
  transport: 'tcp',
  payloadBytes: 16,
  topics: { kind: 'one' },
  publishers: 1,
  subscribers: { kind: 'topic', count: 10 },
};

const deep: Workload = {
  ...oneToTen,
  topics: { kind: 'deep', count: 500 },
  subscribers: { kind: 'filters', count: 10, filters: 200 },
};

test('a block holds whole messages, about 64 KiB of them', () => {
  const [[block]] = trafficOf(oneToTen, frames).blocks;
  const decoder = new FrameDecoder(1024);
  expect(decoder.frames(block.bytes)).toHaveLength(block.messages);
  expect(decoder.isBetweenFrames).toBe(true);
  expect(block.bytes.length).toBeGreaterThan(60_000);
  expect(block.bytes.length).toBeLessThanOrEqual(65_536);
});

test('a delivery to ten is counted ten times', () => {
  const traffic = trafficOf(oneToTen, frames);
  expect(traffic.deliveriesPerMessage).toBe(10);
  expect(traffic.deliveredBytesPerPublishedByte).toBe(10);
});

test('what is expected for each block is what its messages match, by the letter of the rules', () => {
  const traffic = trafficOf(deep, frames);
  const filters = traffic.subscriptions.flat();
  const decoder = new FrameDecoder(1024);
  for (const block of traffic.blocks[0].slice(0, 2)) {
    let deliveries = 0;
    for (const { topic } of decoder.frames(block.bytes)) {
      deliveries += filters.filter((filter) => matchesFilter(filter, topic)).length;
    }
    expect(block.deliveries).toBe(deliveries);
  }
});

test('no subscriber has two filters that match the same topic', () => {
  const topics = deepTopics(500);
  const { subscriptions } = deepFilters(topics, 200, 10);
  expect(subscriptions.flat()).toHaveLength(200);
  for (const filters of subscriptions) {
    for (const topic of topics) {
      expect(filters.filter((filter) => matchesFilter(filter, topic)).length).toBeLessThanOrEqual(1);
    }
  }
});

test('no deep topic is the beginning of another', () => {
  const topics = deepTopics(2_000).sort();
  expect(new Set(topics).size).toBe(2_000);
  for (let index = 1; index < topics.length; index++) {
    expect(topics[index].startsWith(`${topics[index - 1]}/`)).toBe(false);
  }
});

test('the cases have names of their own', () => {
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
});

describe('the size of a delivery', () => {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
  const payload = Buffer.from('0123456789abcdef');

  test('of a frame is that of the frame that was published', () => {
    const published = frames.publish('sensors/temp', payload, 'pub-0');
    const { bytes, payloadOffset } = frames.delivery('sensors/temp', 16, 'pub-0', 1);
    expect(bytes).toBe(published.length);
    expect(text(published.subarray(payloadOffset, payloadOffset + 16))).toBe(text(payload));
  });

  test('of MQTT is that of the packet that was published, also beyond 127 bytes', () => {
    for (const size of [16, 1024, 20_000]) {
      const body = Buffer.alloc(size, 'y');
      const published = mosquitto.wire.publish('sensors/temp', body, 'pub-0');
      const { bytes, payloadOffset } = mosquitto.wire.delivery('sensors/temp', size, 'pub-0', 1);
      expect(bytes).toBe(published.length);
      expect(published[payloadOffset]).toBe('y'.charCodeAt(0));
    }
  });

  test('of NATS is a MSG line and the payload', () => {
    const line = 'MSG sensors.temp 1000 16\r\n';
    expect(nats.wire.delivery('sensors/temp', 16, 'pub-0', 1000)).toEqual({
      bytes: line.length + 16 + 2,
      payloadOffset: line.length,
    });
  });
});

test('filters are translated for NATS', () => {
  const text = Buffer.from(nats.wire.subscribe('+/hall1/#', 7)).toString();
  expect(text).toBe('SUB *.hall1.> 7\r\n');
});

test('MQTT packets are as the standard has them', () => {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  expect(hex(mosquitto.wire.connect('a'))).toBe('100d00044d51545404020e10000161');
  expect(hex(mosquitto.wire.subscribe('a/b', 1))).toBe('820800010003612f6200');
  expect(hex(mosquitto.wire.unsubscribe('a/b', 1))).toBe('a20700010003612f62');
  expect(hex(mosquitto.wire.publish('a/b', Buffer.from('x'), 'a'))).toBe('30060003612f6278');
});
