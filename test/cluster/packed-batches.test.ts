import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JetStreamStore } from '../../internal/cluster/jetstream-store.ts';
import { systemClock } from '../../internal/lib/clock.ts';
import { eventually } from '../support/eventually.ts';
import { type NatsServers, natsServer, startNats } from '../support/nats-servers.ts';

/*
 * Small batches that wait together are one message of NATS. Whoever reads, looks for or deletes batches must not see the difference.
 */

const program = await natsServer();
const BATCHES = 200;
const BATCH_BYTES = 1_000;
const PRODUCER_BATCH = 100;

describe.runIf('there' in program)('batches that wait together', { timeout: 120_000 }, () => {
  let nats: NatsServers;
  let store: JetStreamStore;
  let partition: number;
  const written = Array.from({ length: BATCHES }, (_, index) => ({
    ...{ baseOffset: 2 * index, lastOffset: 2 * index + 1, count: 2, maxTimestamp: 10 * index },
    bytes: new Uint8Array(randomBytes(BATCH_BYTES)),
  }));

  beforeAll(async () => {
    nats = await startNats('there' in program ? program.there : '', { servers: 1 });
    store = await opened();
    await eventually(() => store.claimAll(), 'an owner');
    const topic = {
      name: 'orders',
      topicId: randomBytes(16),
      configs: {},
      createdAtMs: 1,
      partitionCount: 1,
    };
    partition = (await store.createTopic(topic)).partitions[0]!.id;
    const producer = { id: 7n, state: Uint8Array.of(1, 2, 3) };
    const appended = written.map((batch, index) =>
      store.append(partition, index === PRODUCER_BATCH ? { ...batch, producer } : batch),
    );
    await Promise.all(appended);
  });
  afterAll(async () => {
    await store?.close();
    await nats?.close();
  });

  async function opened(): Promise<JetStreamStore> {
    const fresh = new JetStreamStore({
      ...{ urls: nats.urls, name: 'packed', fsync: 'os', shards: 1, clock: systemClock },
    });
    await fresh.open();
    return fresh;
  }

  it('are fewer messages', async () => {
    const info = await store.jetStream.ask<{ state: { messages: number } }>('STREAM.INFO.packed-L0');
    expect(info.state.messages).toBeLessThan(BATCHES / 10);
  });

  it('are read one by one, from any offset, by those that wrote them and by others', async () => {
    const other = await opened();
    for (const reader of [store, other]) {
      for (let offset = 0; offset < 2 * BATCHES; offset += 29) {
        const [batch] = await reader.read(partition, offset, 1);
        expect(batch).toEqual(written[Math.floor(offset / 2)]);
      }
      const read: unknown[] = [];
      while (read.length < BATCHES) {
        const batches = await reader.read(partition, 2 * read.length, 3.5 * BATCH_BYTES);
        expect(batches).toHaveLength(Math.min(3, BATCHES - read.length));
        read.push(...batches);
      }
      expect(read).toEqual(written);
      expect(await reader.read(partition, 0, BATCHES * BATCH_BYTES)).toEqual(written);
    }
    await other.close();
  });

  it('are found by their time, and by their size', async () => {
    for (const index of [0, 1, 99, 100, 101, 150, BATCHES - 1]) {
      expect(await store.batchForTime(partition, 10 * index - 1)).toMatchObject({ baseOffset: 2 * index });
      const keepBytes = (BATCHES - index) * BATCH_BYTES;
      expect(await store.offsetForSize(partition, keepBytes)).toBe(2 * index);
      expect(await store.offsetForSize(partition, keepBytes - 1)).toBe(2 * (index + 1));
    }
    expect(await store.batchForTime(partition, 10 * BATCHES)).toBeUndefined();
  });

  it('keep what is known of their producer', async () => {
    const other = await opened();
    const { topics } = await other.open();
    expect(topics[0]!.partitions[0]!.producers).toEqual([{ id: 7n, state: Uint8Array.of(1, 2, 3) }]);
    await other.close();
  });

  it('are deleted one by one', async () => {
    expect(await store.deleteUntil(partition, 21)).toBe(10 * BATCH_BYTES);
    const other = await opened();
    for (const reader of [store, other]) {
      expect(await reader.read(partition, 0, 2 * BATCH_BYTES)).toEqual(written.slice(10, 12));
      expect(await reader.batchForTime(partition, 0)).toMatchObject({ baseOffset: 20 });
      expect(await reader.offsetForSize(partition, BATCHES * BATCH_BYTES)).toBe(21);
    }
    await other.close();
  });
});

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
