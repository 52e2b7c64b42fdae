import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { listGroups } from '../../internal/protocol/kafka/apis/16-list-groups.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { alterClientQuotas } from '../../internal/protocol/kafka/apis/49-alter-client-quotas.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { KafkaWire } from '../support/kafka-wire.ts';

/**
 * Quotas by Kafka's own APIs, for the client id that every request here says. Times are only ever bounded from below: a
 * machine may be slow.
 */

const PER_SECOND = 10_000;
/** A second's worth may be taken after a rest, so this owes two more. */
const BYTES = 3 * PER_SECOND;
const OWED_MS = 1_900;

let broker: RunningBroker;
let wire: KafkaWire;
beforeEach(async () => {
  broker = await startBroker({ listen: [], kafka: { listen: ['tcp://127.0.0.1:0'] }, memory: true });
  wire = await KafkaWire.open(broker.url);
  const topic = { name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
  await wire.ask(createTopics, 7, { topics: [topic] });
});
afterEach(async () => {
  wire.close();
  await broker.close();
});

async function setQuota(key: string, entity = [{ entityType: 'client-id', entityName: 'wire' }]) {
  const ops = [{ key, value: PER_SECOND, remove: false }];
  const { entries } = await wire.ask(alterClientQuotas, 1, {
    entries: [{ entity, ops }],
    validateOnly: false,
  });
  expect(entries[0]!.errorCode).toBe(0);
}

function batch(): object {
  const value = Buffer.alloc(BYTES);
  const records = buildBatch([{ timestamp: Date.now(), key: null, value, headers: [] }]);
  const partitionData = [{ index: 0, records }];
  return { transactionalId: null, acks: -1, timeoutMs: 1000, topicData: [{ name: 't', partitionData }] };
}

const send = (by: KafkaWire) => by.ask(produce, 9, batch() as never);

function read(by: KafkaWire) {
  const partition = { partition: 0, currentLeaderEpoch: -1, fetchOffset: 0, lastFetchedEpoch: -1 };
  const topics = [
    { topic: 't', partitions: [{ ...partition, logStartOffset: -1, partitionMaxBytes: 1_000_000 }] },
  ];
  const limits = { maxWaitMs: 0, minBytes: 1, maxBytes: 1_000_000, isolationLevel: 0 };
  const request = { replicaId: -1, ...limits, sessionId: 0, sessionEpoch: -1, topics, rackId: '' };
  return by.ask(fetch, 12, { ...request, forgottenTopicsData: [] });
}

/** How long a request waits, whatever it asks for. */
async function waited(by: KafkaWire): Promise<number> {
  const begun = performance.now();
  await by.ask(listGroups, 4, { statesFilter: [], typesFilter: [] });
  return performance.now() - begun;
}

describe('a client that goes over its quota', () => {
  it('is answered at once, told how long to wait, and not served until then', async () => {
    await setQuota('producer_byte_rate');
    const answer = await send(wire);
    expect(answer.responses[0]!.partitionResponses[0]!.errorCode).toBe(0);
    expect(answer.throttleTimeMs).toBeGreaterThan(OWED_MS);
    expect(await waited(wire)).toBeGreaterThan(OWED_MS);
  });

  it('waits for what it fetched', async () => {
    await send(wire);
    await setQuota('consumer_byte_rate');
    const answer = await read(wire);
    expect(answer.responses[0]!.partitions[0]!.records!.length).toBeGreaterThan(BYTES);
    expect(answer.throttleTimeMs).toBeGreaterThan(OWED_MS);
    expect(await waited(wire)).toBeGreaterThan(OWED_MS);
  });

  it('does not get around it with another connection, which may do other things meanwhile', async () => {
    await setQuota('producer_byte_rate');
    const begun = performance.now();
    const { throttleTimeMs } = await send(wire);
    const other = await KafkaWire.open(broker.url);
    await waited(other);
    await send(other);
    expect(performance.now() - begun).toBeGreaterThan(throttleTimeMs * 0.95);
    other.close();
  });

  it('is the only one: others and other quotas are not bounded', async () => {
    await setQuota('producer_byte_rate', [{ entityType: 'client-id', entityName: 'somebody else' }]);
    await setQuota('consumer_byte_rate');
    expect((await send(wire)).throttleTimeMs).toBe(0);
  });

  it('is bounded from the moment on in which the quota is set, on a connection that is open', async () => {
    expect((await send(wire)).throttleTimeMs).toBe(0);
    await setQuota('producer_byte_rate', [{ entityType: 'user', entityName: null as never }]);
    expect((await send(wire)).throttleTimeMs).toBeGreaterThan(OWED_MS);
  });
});
