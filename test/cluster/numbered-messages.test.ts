import { afterEach, beforeEach, expect, it } from 'vitest';
import type { UnplacedBatch } from '../../internal/log/partition-log.ts';
import { FrameBit, FrameType } from '../../internal/protocol/frame/frame.ts';
import { type FakeCluster, fakeCluster } from '../support/fake-cluster.ts';
import { recordsOf } from '../support/lasting-producer.ts';
import { openStream, RawClient } from '../support/raw-client.ts';

/*
 * A client that numbers its messages (`once`) goes to another node after some of them were stored, and sends again what was not
 * acknowledged to it. That node knows nothing of them, and cuts other batches; the one before still has some on its way. The
 * leader has each of them once.
 */

let cluster: FakeCluster;
/** When answers that got lost need not be waited for any more. */
let ended: PromiseWithResolvers<void>;

beforeEach(async () => {
  ended = Promise.withResolvers();
  cluster = await fakeCluster(3, { keep: [{ filter: 'kept/#' }], kafka: { listen: ['tcp://127.0.0.1:0'] } });
});

afterEach(async () => {
  ended.resolve();
  await cluster.close();
});

/** A client that begins to send behind what was acknowledged to it. */
async function clientOf(node: number, acknowledged = 0): Promise<RawClient> {
  const client = new RawClient(await openStream(cluster.urlOf(node, 'frames')), 'me');
  client.send(FrameType.connect, '', `once producer=p acked=${acknowledged}`);
  expect(Buffer.from((await client.expect(FrameType.connack)).payload).toString()).toBe(
    `once last=${acknowledged}`,
  );
  return client;
}

function send(client: RawClient, topic: string, ...numbers: number[]): void {
  for (const number of numbers) client.send(FrameType.publish | FrameBit.once, topic, `${number}`);
}

async function acknowledged(client: RawClient, upTo: number): Promise<void> {
  for (let told = 0; told < upTo; ) {
    const { payload } = await client.expect(FrameType.acknowledge | FrameBit.once);
    told = Number(Buffer.from(payload).readBigUInt64BE(0));
  }
}

async function texts(log: string): Promise<string[]> {
  const records = await recordsOf(
    cluster.brokers[0]!.listeners.find(({ door }) => door === 'kafka')!.url,
    log,
    0,
  );
  expect(records.map(([offset]) => offset)).toEqual(records.map((_, index) => index));
  return records.map(([, text]) => text);
}

/** Node 1 hears of nothing that it gives to the leader, and gives it once more when it is told to. */
function losingAnswers(): { again(): Promise<void> } {
  const member = cluster.shared.members[1]!;
  const forward = member.forward.bind(member);
  const given: [number, UnplacedBatch][] = [];
  member.forward = async (partition, batch) => {
    given.push([partition, { ...batch, bytes: batch.bytes.slice() }]);
    const offset = await forward(partition, batch);
    await ended.promise;
    return offset;
  };
  return {
    async again() {
      for (const [partition, batch] of given) await forward(partition, batch);
    },
  };
}

it('are in the log once, where some were stored and their client did not hear of it', async () => {
  const { again } = losingAnswers();
  const first = await clientOf(1);
  send(first, 'kept/a', 1, 2);
  send(first, 'kept/b', 3);
  send(first, 'kept/a', 4);
  await first.ping();
  first.stream.destroy();
  const second = await clientOf(2);
  send(second, 'kept/a', 1, 2);
  send(second, 'kept/b', 3);
  send(second, 'kept/a', 4, 5);
  send(second, 'kept/b', 6);
  await acknowledged(second, 6);
  await again();
  expect(await texts('kept.a')).toEqual(['1', '2', '4', '5']);
  expect(await texts('kept.b')).toEqual(['3', '6']);
  await second[Symbol.asyncDispose]();
});

/*
 * Messages of other clients were dropped together with those that were known, as all of them were in one batch.
 */
it('take none of the messages of other clients with them', async () => {
  losingAnswers();
  const first = await clientOf(1);
  send(first, 'kept/a', 1, 2);
  await first.ping();
  first.stream.destroy();
  const second = await clientOf(2);
  const other = await cluster.client(2);
  const publishing = other.publish('kept/a', 'other', { qos: 1 });
  send(second, 'kept/a', 1, 2, 3);
  await Promise.all([acknowledged(second, 3), publishing]);
  expect((await texts('kept.a')).sort()).toEqual(['1', '2', '3', 'other']);
  await second[Symbol.asyncDispose]();
});
