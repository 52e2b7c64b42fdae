import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BatchOptions, buildBatch } from '../../internal/batch/build.ts';
import { validated } from '../../internal/doors/kafka/produced-batch.ts';
import { Slices } from '../../internal/doors/kafka/slices.ts';
import { longestTurnMs } from '../../internal/limits/broker.ts';
import { defaultTopicConfigs, topicSettings } from '../../internal/log/topic-configs.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { decodeResponse } from '../../internal/protocol/kafka/exchange.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { KafkaWire } from '../support/kafka-wire.ts';

let broker: RunningBroker;
let wire: KafkaWire;

beforeAll(async () => {
  broker = await startBroker({ listen: [], kafka: { listen: ['tcp://127.0.0.1:0'] }, memory: true });
  wire = await KafkaWire.open(broker.url);
});

afterAll(async () => {
  wire.close();
  await broker.close();
});

async function newTopic(name: string, configs: Record<string, string> = {}): Promise<string> {
  const topic = { name, numPartitions: 1, replicationFactor: 1, assignments: [] };
  const named = Object.entries(configs).map(([key, value]) => ({ name: key, value }));
  const { topics } = await wire.ask(createTopics, 7, { topics: [{ ...topic, configs: named }] });
  expect(topics[0].errorCode).toBe(0);
  return name;
}

function batchOf(count: number, valueBytes: number, options: BatchOptions = {}): Uint8Array {
  const record = {
    timestamp: Date.now(),
    key: null,
    value: Buffer.alloc(valueBytes, 'v'),
    headers: [],
  };
  return buildBatch(Array(count).fill(record), options);
}

const request = (name: string, records: Uint8Array) => ({
  acks: -1,
  timeoutMs: 1_000,
  topicData: [{ name, partitionData: [{ index: 0, records }] }],
});

const NO_DEFAULTS = defaultTopicConfigs({ retentionMs: 0, retentionBytes: 0 });

/**
 * A request of 16 MiB was checked in one piece, to its last record, and everybody else on the broker waited: 276 ms were
 * measured. Now it is checked in slices, compressed ones too.
 */
describe('a batch that takes long to check', () => {
  it.each(['none', 'snappy', 'lz4', 'gzip', 'zstd'] as const)('gives way: %s', async (compression) => {
    const settings = topicSettings({ 'max.message.bytes': '40000000' }, NO_DEFAULTS);
    let looks = 0;
    // Every look at this clock costs a turn.
    const slices = new Slices(() => looks++ * (longestTurnMs + 1));
    const checked = validated(batchOf(100_000, 10, { compression }), settings, slices, Date.now());
    expect(checked).toBeInstanceOf(Promise);
    expect(await checked).toMatchObject({ count: 100_000 });
    expect(looks).toBeGreaterThan(20);
  });

  it('is answered and appended before what its client sent behind it', async () => {
    const name = await newTopic('in-order', { 'max.message.bytes': '40000000' });
    const batches = [
      batchOf(200_000, 1),
      batchOf(1, 1),
      batchOf(2_000_000, 10, { compression: 'gzip' }),
      batchOf(1, 1),
    ];
    for (const batch of batches) wire.send(produce, 9, request(name, batch));
    const offsets: number[] = [];
    for (const _ of batches) {
      const { body } = decodeResponse(produce, 9, (await wire.next())!);
      const [answer] = body.responses[0].partitionResponses;
      expect(answer).toMatchObject({ errorCode: 0 });
      offsets.push(answer.baseOffset);
    }
    expect(offsets).toEqual([0, 200_000, 200_001, 2_200_001]);
  });
});

/** KIP-467: which records are wrong, and why, for clients that then send the others. */
describe('records that a topic cannot take', () => {
  const DAY = 86_400_000;
  const keyed = { key: Buffer.from('k'), value: Buffer.from('v'), headers: [] };
  const good = () => ({ ...keyed, timestamp: Date.now() });
  const keyless = () => ({ ...good(), key: null });
  const old = () => ({ ...keyed, timestamp: Date.now() - DAY });

  async function refusal(name: string, records: Parameters<typeof buildBatch>[0], version = 9) {
    const answer = await wire.ask(produce, version, request(name, buildBatch(records)));
    return answer.responses[0].partitionResponses[0];
  }

  it('are named each, with a message', async () => {
    const name = await newTopic('compacted', { 'cleanup.policy': 'compact' });
    const answer = await refusal(name, [good(), keyless(), good(), keyless()]);
    expect(answer).toMatchObject({ errorCode: 87, baseOffset: -1, logStartOffset: 0 });
    expect(answer.errorMessage).toBe('record 1 has no key, and 1 more of 4');
    expect(answer.recordErrors).toEqual([
      { batchIndex: 1, batchIndexErrorMessage: 'record 1 has no key' },
      { batchIndex: 3, batchIndexErrorMessage: 'record 3 has no key' },
    ]);
  });

  it('are INVALID_TIMESTAMP where some time is wrong, whatever else is', async () => {
    const configs = { 'cleanup.policy': 'compact', 'message.timestamp.before.max.ms': '60000' };
    const name = await newTopic('compacted-recent', configs);
    const answer = await refusal(name, [good(), keyless(), old()]);
    expect(answer).toMatchObject({ errorCode: 32, logStartOffset: 0 });
    expect(answer.recordErrors.map(({ batchIndex }) => batchIndex)).toEqual([1, 2]);
    expect(answer.recordErrors[1].batchIndexErrorMessage).toMatch(
      /^record 2 has timestamp \d+, earlier than/,
    );
  });

  it('are not named in versions that cannot, and not without bound', async () => {
    const name = await newTopic('compacted-7', { 'cleanup.policy': 'compact' });
    expect(await refusal(name, [keyless()], 7)).toMatchObject({ errorCode: 87, recordErrors: [] });
    expect((await refusal(name, [keyless()], 8)).recordErrors).toHaveLength(1);
    const many = await refusal(name, Array(5_000).fill(keyless()));
    expect(many.recordErrors).toHaveLength(1_000);
    expect(many.errorMessage).toBe('record 0 has no key, and 4999 more of 5000');
  });
});
