import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { lastOfSubjects } from '../../internal/cluster/follower.ts';
import { JetStreamStore } from '../../internal/cluster/jetstream-store.ts';
import { systemClock } from '../../internal/lib/clock.ts';
import { eventually } from '../support/eventually.ts';
import { type NatsServers, natsServer, startNats } from '../support/nats-servers.ts';

/*
 * A topic may be deleted while nobody owns the shards of its partitions, or while their owner is away. Its space is given back by whoever
 * owns them next, and nobody takes a topic that lives for one that was deleted.
 */

const program = await natsServer();

describe.runIf('there' in program)('the space of a deleted topic', { timeout: 120_000 }, () => {
  let nats: NatsServers;
  let clusters = 0;
  let cluster: string;
  let stores: JetStreamStore[];
  beforeAll(async () => {
    nats = await startNats('there' in program ? program.there : '', { servers: 1 });
  });
  afterAll(() => nats?.close());
  beforeEach(() => {
    cluster = `gone${++clusters}`;
    stores = [];
  });
  afterEach(() => Promise.all(stores.map((store) => store.close())));

  async function opened(): Promise<JetStreamStore> {
    const store = new JetStreamStore({
      ...{ urls: nats.urls, name: cluster, fsync: 'os', shards: 2, clock: systemClock },
    });
    await store.open();
    stores.push(store);
    return store;
  }

  const owning = (store: JetStreamStore) => eventually(() => store.claimAll(), 'an owner of all shards');

  async function create(store: JetStreamStore, name: string): Promise<number[]> {
    const topic = { name, topicId: randomBytes(16), configs: {}, partitionCount: 2, createdAtMs: 1 };
    return (await store.createTopic(topic)).partitions.map(({ id }) => id);
  }

  async function append(store: JetStreamStore, partitions: readonly number[]): Promise<void> {
    const bytes = buildBatch([{ timestamp: 1, key: null, value: randomBytes(100), headers: [] }]);
    const batch = { baseOffset: 0, lastOffset: 0, count: 1, maxTimestamp: 1, bytes };
    await Promise.all(partitions.map((id) => store.append(id, batch)));
  }

  /** The partitions of which the servers have batches. */
  async function kept(store: JetStreamStore): Promise<number[]> {
    const ids: number[] = [];
    for (const shard of [0, 1]) {
      const question = { subjects_filter: `${cluster}.${shard}.l.>` };
      const asked = store.jetStream.ask<{ state: { subjects?: Record<string, number> } }>(
        `STREAM.INFO.${cluster}-L${shard}`,
        question,
      );
      const { subjects = {} } = (await asked).state;
      ids.push(...Object.keys(subjects).map((subject) => Number(subject.split('.')[3])));
    }
    return ids.sort((a, b) => a - b);
  }

  it('is given back at once by the owner, whoever deletes it', async () => {
    const [owner, other] = [await opened(), await opened()];
    await owning(owner);
    const [gone, stays] = [await create(owner, 'gone'), await create(owner, 'stays')];
    await append(owner, [...gone, ...stays]);
    other.untilOthersKnow = (sequence) => owner.topicsUntil(sequence);
    await eventually(async () => (await kept(other)).length === 4, 'all batches');
    await eventually(() => other.deleteTopic('gone').then(() => true), 'the topic at the other node');
    await eventually(async () => (await kept(owner)).join() === stays.join(), 'space of the deleted topic');
  });

  it('is given back by the next owner where there was none, also of names that are used again', async () => {
    const owner = await opened();
    await owning(owner);
    const [first, stays] = [await create(owner, 'again'), await create(owner, 'stays')];
    await append(owner, [...first, ...stays]);
    await owner.close();

    const other = await opened();
    await other.deleteTopic('again');
    const second = await create(other, 'again');
    await other.deleteTopic('again');
    const third = await create(other, 'again');
    expect(await kept(other)).toEqual([...first, ...stays]);
    await other.close();

    // One that hears of all this only now.
    const next = await opened();
    await owning(next);
    await append(next, third);
    await eventually(async () => (await kept(next)).join() === [...stays, ...third].join(), 'the space');
    expect(await next.read(third[0]!, 0, 1e6)).toHaveLength(1);
    await expect(next.read(second[0]!, 0, 1e6)).rejects.toMatchObject({ code: 'not-found' });
  });

  // Whoever reads a shard anew reads up to its last message. Where that one was given back, it waited for it for ever.
  it('leaves shards that can be read anew, although their owner ends in between', async () => {
    const owner = await opened();
    await owning(owner);
    await append(owner, await create(owner, 'gone'));
    const recording = owner.shards.map((shard) =>
      vi.spyOn(shard, 'deletePartition').mockReturnValue(new Promise(() => {})),
    );
    void owner.deleteTopic('gone');
    await eventually(async () => (await kept(owner)).length === 0, 'batches that are gone');
    const next = await opened();
    expect(next.shards).toHaveLength(2);
    for (const each of recording) each.mockRestore();
  });

  // A commit lies in the shard of the coordinator, and its topic beside the shards: one may go while nobody owns the other.
  it('goes with what groups have committed, also where nobody coordinated them', async () => {
    const owner = await opened();
    await owning(owner);
    await create(owner, 'again');
    await create(owner, 'gone');
    await create(owner, 'stays');
    const commits = ['again', 'gone', 'stays'].map((topic) => commitOf(topic, 5));
    await owner.saveGroupOffsets('readers', commits);
    await owner.close();

    const other = await opened();
    await other.deleteTopic('gone');
    await other.deleteTopic('again');
    await create(other, 'again');
    await other.alterTopic('stays', { 'retention.ms': '1000' });
    await other.close();

    const next = await opened();
    const committed = committedIn(next);
    await owning(next);
    await eventually(
      () => committed()?.join() === 'stays:5',
      'only what was committed for a topic that is there',
    );
    await next.saveGroupOffsets('readers', [commitOf('again', 1)]);
    await next.close();

    // They are gone from the servers too, and what was committed for the new topic is not.
    const last = await opened();
    const committedAtLast = committedIn(last);
    await owning(last);
    await eventually(() => committedAtLast()?.join() === 'again:1,stays:5', 'what was committed since');
    expect(await keptCommits(last)).toEqual(['again', 'stays']);
  });

  const commitOf = (topic: string, offset: number) => ({
    ...{ topic, partition: 0, offset, leaderEpoch: -1, metadata: '', committedAtMs: 1 },
  });

  /** What the log above is told that groups have committed, when a node begins to coordinate them. */
  function committedIn(store: JetStreamStore): () => string[] | undefined {
    let committed: string[] | undefined;
    store.onEvent((event) => {
      if (event.kind !== 'groups' || typeof event.groups === 'string') return;
      const offsets = event.groups.groups.get('readers') ?? [];
      committed = offsets.map(({ topic, offset }) => `${topic}:${offset}`).sort();
    });
    return () => committed;
  }

  /** The topics of which the servers have a commit. */
  async function keptCommits(store: JetStreamStore): Promise<string[]> {
    const followed = { stream: `${cluster}-L0`, filter: `${cluster}.0.g.>`, isHeadersOnly: false };
    const records = (await lastOfSubjects(store.jetStream, followed)).map(
      ({ body }) => JSON.parse(Buffer.from(body).toString()) as { topic: string; offset?: number },
    );
    return records.flatMap(({ topic, offset }) => (offset === undefined ? [] : [topic])).sort();
  }

  // A server may refuse it at the moment, or the owner may end between the two steps.
  it('is given back later where the owner could not do it', async () => {
    const owner = await opened();
    await owning(owner);
    const gone = await create(owner, 'gone');
    await append(owner, gone);
    const { jetStream } = owner;
    const ask = jetStream.ask.bind(jetStream);
    vi.spyOn(jetStream, 'ask').mockImplementation(async (what, question) => {
      if (what.startsWith('STREAM.PURGE.')) throw new Error('not now');
      return ask(what, question);
    });
    await owner.deleteTopic('gone');
    expect(await kept(owner)).toEqual(gone);
    await owner.close();
    const next = await opened();
    await owning(next);
    await eventually(async () => (await kept(next)).length === 0, 'the space');
  });

  // The owner of a shard may be the last one to hear of a topic, which others write to when they own the shard before it.
  it('is not that of a topic which the owner has not heard of yet', async () => {
    const late = await opened();
    const early = await opened();
    await owning(early);
    const fresh = await create(early, 'fresh');
    await append(early, fresh);
    await early.close();
    await owning(late);
    // What is given back here comes behind what the new owner gave back.
    await create(late, 'gone');
    await late.deleteTopic('gone');
    expect(await kept(late)).toEqual(fresh);
  });
});

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
