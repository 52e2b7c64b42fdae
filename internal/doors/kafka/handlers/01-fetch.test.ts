import { expect, it } from 'vitest';
import { askHandler } from '../../../../test/support/kafka-handlers.ts';
import { openLogs } from '../../../../test/support/logs.ts';
import { buildBatch } from '../../../batch/build.ts';
import { MemoryPool } from '../../../lib/lent-memory.ts';
import type { Delivery } from '../../../live/delivery.ts';
import { aloneAs } from '../../../log/nodes.ts';
import { FetchSessions } from '../fetch/sessions.ts';
import type { KafkaSettings } from '../handler.ts';
import { Slices } from '../slices.ts';
import { produceHandler } from './00-produce.ts';
import { fetchHandler } from './01-fetch.ts';

it('answers consumers that wait after the producer', async () => {
  const { logs } = await openLogs();
  await logs.createTopic('t', 1, {});
  const throttle = { take: () => {}, settle: () => 0 };
  const asker = {
    parts: {
      ...{ logs, slices: new Slices(), nodes: aloneAs(1), settings: { autoCreate: false } as KafkaSettings },
      ...{ fetchSessions: new FetchSessions(), fetchMemory: new MemoryPool(1e6) },
      delivery: { settled: () => undefined } as unknown as Delivery,
    },
    client: { throttle, closed: new AbortController().signal },
  };
  const answered: string[] = [];
  const consumers = ['first', 'second'].map(async (name) => {
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1e6 }];
    const asked = { maxWaitMs: 60_000, minBytes: 1, topics: [{ topic: 't', partitions }] };
    const { responses } = await askHandler(fetchHandler, 11, asked, asker);
    answered.push(name);
    return responses[0]!.partitions[0]!.records!.length;
  });
  const value = new TextEncoder().encode('22.5');
  const records = buildBatch([{ timestamp: 1, key: null, value }]);
  const topicData = [{ name: 't', partitionData: [{ index: 0, records }] }];
  await askHandler(produceHandler, 9, { acks: -1, timeoutMs: 1_000, topicData }, asker);
  answered.push('producer');
  expect(await Promise.all(consumers)).toEqual([records.length, records.length]);
  expect(answered).toEqual(['producer', 'first', 'second']);
});
