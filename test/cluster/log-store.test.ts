import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectToNats } from '../../internal/cluster/connection.ts';
import { JetStream } from '../../internal/cluster/jetstream.ts';
import { JetStreamShard } from '../../internal/cluster/jetstream-shard.ts';
import { JetStreamStore } from '../../internal/cluster/jetstream-store.ts';
import { systemClock } from '../../internal/lib/clock.ts';
import type { LogStore } from '../../internal/store/log-store.ts';
import { eventually } from '../support/eventually.ts';
import { describeStore } from '../support/log-store-behaviour.ts';
import { type NatsServers, natsServer, startNats } from '../support/nats-servers.ts';

/*
 * The store of a cluster does what every store does, on three real NATS servers.
 */

const program = await natsServer();

describe.runIf('there' in program)('the store of a cluster', () => {
  let nats: NatsServers;
  let clusters = 0;
  beforeAll(async () => {
    nats = await startNats('there' in program ? program.there : '');
  });
  afterAll(() => nats?.close());

  function newStore(name: string) {
    return new JetStreamStore({ urls: nats.urls, name, fsync: 'commit', shards: 2, clock: systemClock });
  }

  describeStore({
    name: 'NATS JetStream',
    start() {
      const name = `c${++clusters}`;
      return { store: newStore(name), reopen: () => newStore(name) };
    },
    untilWritable: async (store: LogStore) => {
      await eventually(() => (store as JetStreamStore).claimAll(), 'an owner of all shards');
    },
    largeBytes: 7 * 1024 * 1024,
    isShared: true,
    runs: 5,
  });

  it('refuses what JetStream cannot do, with the reason', async () => {
    const store = newStore('refusing');
    await store.open();
    for (const refused of [store.skipTo(), store.replace(), store.setLeaderEpoch(), store.putProducers()]) {
      await expect(refused).rejects.toMatchObject({ name: 'StoreError', code: 'unsupported' });
    }
    await store.close();
  });

  // What no server takes looked like servers that are away: it was tried for 15 s with all that waited behind it, and then the node gave the
  // shard up.
  it('refuses what no message of NATS holds, and goes on with what lies beside it', async () => {
    const store = newStore('large');
    await store.open();
    await eventually(() => store.claimAll(), 'an owner of all shards');
    const { maxGroupBytes = 0, maxBatchBytes } = store.limits;
    const place = { topic: 't', partition: 0, offset: 1, leaderEpoch: -1, committedAtMs: 1 };
    const refused = Promise.allSettled([
      store.saveGroupMembers('large', randomBytes(maxBatchBytes)),
      store.saveGroupOffsets('large', [{ ...place, metadata: 'x'.repeat(maxBatchBytes) }]),
      store.putMeta('large', randomBytes(maxBatchBytes)),
      store.swapMeta('large', undefined, randomBytes(maxBatchBytes)),
    ]);
    const name = '\u0001'.repeat(32_767);
    await store.saveGroupMembers(name, randomBytes(maxGroupBytes));
    await store.saveGroupOffsets(name, [{ ...place, metadata: '\u0001'.repeat(4_096) }]);
    for (const each of await refused) expect(each).toMatchObject({ reason: { code: 'batch-too-large' } });
    await store.close();
    const { groups, groupMembers } = await newStore('large').open();
    expect([groups.get(name)?.length, groupMembers.get(name)?.length]).toEqual([1, maxGroupBytes]);
    expect([groups.size, groupMembers.size]).toEqual([1, 1]);
  });

  // A broker that starts hears of topics before it has opened its shards.
  it('takes up what others change of topics between its connection and its opening', async () => {
    const [first, second] = [newStore('starting'), newStore('starting')];
    await first.open();
    first.untilOthersKnow = (sequence) => second.topicsUntil(sequence);
    const topic = (name: string) =>
      first.createTopic({
        ...{ name, topicId: randomBytes(16), configs: {}, partitionCount: 1, createdAtMs: 1 },
      });
    await second.connect();
    await topic('stays');
    await topic('goes');
    await first.deleteTopic('goes');
    const { topics } = await second.open();
    expect(topics.map(({ name }) => name)).toEqual(['stays']);
    await Promise.all([first.close(), second.close()]);
  });

  it('has another server lead a stream, without a word lost', async () => {
    const store = newStore('moving');
    await store.open();
    await eventually(() => store.claimAll(), 'an owner of all shards');
    const connection = await connectToNats({ urls: nats.urls, fsync: 'commit' });
    const jetStream = new JetStream(connection);
    const stream = 'moving-L0';
    const shard = new JetStreamShard(jetStream, stream, 'moving.0.');
    const leader = async () =>
      (await jetStream.ask<{ cluster: { leader?: string } }>(`STREAM.INFO.${stream}`)).cluster.leader;
    const before = await leader();
    await shard.changeLeader();
    await eventually(async () => {
      const now = await leader().catch(() => undefined);
      return now !== undefined && now !== before;
    }, 'another leader');
    await eventually(() => store.claimAll(), 'an owner of all shards');
    await connection.close();
    await store.close();
  });
});

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
