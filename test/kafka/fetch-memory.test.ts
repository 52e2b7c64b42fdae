import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { fetch } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { decodeResponse } from '../../internal/protocol/kafka/exchange.ts';
import { startBroker } from '../../internal/server/start-broker.ts';
import { KafkaDirectoryStore } from '../../internal/store/kafka-directory/kafka-directory-store.ts';
import { writeKafkaDirectory } from '../support/kafka-directory.ts';
import { KafkaWire } from '../support/kafka-wire.ts';

/** Answers from the disk lie in memory that is used again: what one client is sent must not be another's, however slow it reads. */

const TOPIC = 'kept';
const BATCHES = 160;
const BATCH_BYTES = 100_000;
const VERSION = 11;

const folder = mkdtempSync(join(tmpdir(), 'tinymq-fetch-memory-'));
const wires: KafkaWire[] = [];

afterEach(() => {
  for (const wire of wires.splice(0)) wire.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('readers of a log on the disk', () => {
  it('are each given what lies there, while another one does not take its answer', async () => {
    const stored = await fill();
    await using broker = await startBroker({
      listen: [],
      kafka: { listen: ['tcp://127.0.0.1:0'] },
      kafkaLogDirs: { directories: [folder] },
    });
    const slow = [await open(broker.url), await open(broker.url)];
    for (const [index, wire] of slow.entries()) {
      wire.socket.pause();
      wire.send(fetch, VERSION, fetchFrom(index * 20, 12_000_000));
    }
    const gone = await open(broker.url);
    gone.socket.pause();
    gone.send(fetch, VERSION, fetchFrom(3, 12_000_000));
    const quick = await Promise.all(Array.from({ length: 4 }, () => open(broker.url)));
    for (let round = 0; round < 3; round++) {
      await Promise.all(quick.map((wire, index) => readAll(wire, stored, 300_000 + index * 400_000)));
      gone.close();
    }
    for (const [index, wire] of slow.entries()) {
      wire.socket.resume();
      const { body } = decodeResponse(fetch, VERSION, (await wire.next())!);
      const got = recordsOf(body);
      const count = Math.round(got.length / BATCH_BYTES);
      expect(count).toBeGreaterThan(100);
      expect(Buffer.compare(got, Buffer.concat(stored.slice(index * 20, index * 20 + count)))).toBe(0);
    }
  }, 120_000);
});

async function open(url: string): Promise<KafkaWire> {
  const wire = await KafkaWire.open(url);
  wires.push(wire);
  return wire;
}

/** Batches of one record of random bytes, so that none is like another. */
async function fill(): Promise<Uint8Array[]> {
  writeKafkaDirectory(folder, [{ name: TOPIC, topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partitionCount: 1 }]);
  const store = new KafkaDirectoryStore({ directories: [folder], fsync: 'os', segmentBytes: 3_000_000 });
  const { topics } = await store.open();
  const { id } = topics.find(({ name }) => name === TOPIC)!.partitions[0]!;
  const stored: Uint8Array[] = [];
  // Retention takes what is old.
  const nowMs = Date.now();
  for (let offset = 0; offset < BATCHES; offset++) {
    const value = crypto.getRandomValues(new Uint8Array(60_000));
    const bytes = buildBatch(
      [
        {
          timestamp: nowMs,
          key: null,
          value: Buffer.concat([value, Buffer.alloc(BATCH_BYTES - 60_000)]),
          headers: [],
        },
      ],
      { baseOffset: offset },
    );
    await store.append(id, { baseOffset: offset, lastOffset: offset, count: 1, maxTimestamp: nowMs, bytes });
    stored.push(bytes);
  }
  await store.close();
  return stored;
}

/** Reads to the end, and compares every byte. */
async function readAll(wire: KafkaWire, stored: readonly Uint8Array[], maxBytes: number): Promise<void> {
  for (let offset = 0; offset < BATCHES; ) {
    const got = recordsOf(await wire.ask(fetch, VERSION, fetchFrom(offset, maxBytes)));
    const count = Math.round(got.length / BATCH_BYTES);
    expect(count).toBeGreaterThan(0);
    expect(Buffer.compare(got, Buffer.concat(stored.slice(offset, offset + count)))).toBe(0);
    offset += count;
  }
}

function fetchFrom(fetchOffset: number, maxBytes: number) {
  const partition = { partition: 0, currentLeaderEpoch: -1, fetchOffset, logStartOffset: -1 };
  return {
    ...{
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: -1,
    },
    topics: [{ topic: TOPIC, partitions: [{ ...partition, partitionMaxBytes: maxBytes }] }],
    ...{ forgottenTopicsData: [], rackId: '' },
  };
}

function recordsOf({ responses }: { responses: readonly { partitions: readonly { records: unknown }[] }[] }) {
  return responses[0]!.partitions[0]!.records as Uint8Array;
}
