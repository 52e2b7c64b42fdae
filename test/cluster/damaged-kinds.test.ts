import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterCheck } from '../../internal/cluster/inspect/check.ts';
import type { CheckFinding } from '../../internal/cluster/inspect/finding.ts';
import { withLook } from '../../internal/cluster/inspect/look.ts';
import { streamsOf } from '../../internal/cluster/inspect/streams.ts';
import { JetStreamStore } from '../../internal/cluster/jetstream-store.ts';
import { openTables } from '../../internal/cluster/jetstream-tables.ts';
import { patiently } from '../../internal/cluster/patience.ts';
import { systemClock } from '../../internal/lib/clock.ts';
import type { StoredState } from '../../internal/store/log-store.ts';
import type { SharedTables } from '../../internal/store/shared-table.ts';
import { eventually } from '../support/eventually.ts';
import { type NatsServer, type NatsServers, natsServer, startNats } from '../support/nats-servers.ts';

/*
 * A bit of each kind of message flips on one server. A broker that was started while NATS had it read from that server took up what was
 * there: a partition ended at an offset that it had been beyond, a commit or a rule was not there. `cluster check` said nothing
 * where no server had it any more, unless it was a record batch in the middle of others.
 */

const program = await natsServer();
const CLUSTER = 'damaged';
/** Subjects, and what they are called where they are lacking; the last message of each is damaged. */
const DAMAGED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  L0: {
    '0.l.3.': 'record batches',
    '0.m': 'markers of owners',
    '0.f.3': 'first offsets of partitions',
    '0.d.': 'deletions of partitions',
    '0.g.': 'commits of groups',
    '0.h.': 'lists of members of groups',
  },
  meta: { 'meta.t.': 'topics', 'meta.k.': 'values that brokers agreed on' },
  shared: {
    'shared.r.': 'retained messages',
    'shared.w.': 'wills',
    'shared.a.': 'users, rules and limits',
  },
};
const STREAMS = Object.keys(DAMAGED).map((stream) => `${CLUSTER}-${stream}`);
/** Of three servers JetStream chooses one by chance: so many brokers that start read from each of them, almost surely. */
const STARTS = 6;

describe.runIf('there' in program)('one message of each kind', { timeout: 240_000 }, () => {
  let nats: NatsServers;
  let whole: unknown;
  const look = () => ({ urls: nats.urls, name: CLUSTER });

  beforeAll(async () => {
    nats = await startNats('there' in program ? program.there : '');
    await writeAll();
    whole = await eventually(known, 'all that there is');
  }, 240_000);
  afterAll(() => nats?.close());

  it('that is damaged on one server is found, and taken up by brokers that start', async () => {
    const [victim, other] = nats.servers as [NatsServer, NatsServer];
    await damage(victim);
    for (const leader of [victim, other]) {
      await lead(leader);
      expect(byServer(await findings())).toEqual(
        STREAMS.map((stream) => ({ server: victim.name, stream, kinds: oneOfEach(stream) })),
      );
    }
    for (let start = 0; start < STARTS; start++) expect(await eventually(known, 'a broker')).toEqual(whole);
  });

  it('that is damaged on all of them is told, with what it was', async () => {
    for (const server of nats.servers.slice(1)) await damage(server);
    await lead(nats.servers[0]!);
    const found = byServer(await findings());
    expect(new Set(found.map(({ server }) => server))).toEqual(new Set([undefined]));
    for (const stream of STREAMS) {
      const kinds = Object.assign(
        {},
        ...found.filter((each) => each.stream === stream).map((each) => each.kinds),
      );
      expect(kinds).toEqual(oneOfEach(stream));
    }
  });

  function oneOfEach(stream: string): Record<string, number> {
    const kinds = Object.values(DAMAGED[stream.slice(CLUSTER.length + 1)]!);
    return Object.fromEntries(kinds.map((kind) => [kind, 1]));
  }

  async function opened(): Promise<{ store: JetStreamStore; state: StoredState }> {
    const store = new JetStreamStore({
      ...{ urls: nats.urls, name: CLUSTER, fsync: 'commit', shards: 1, clock: systemClock },
    });
    return { store, state: await store.open() };
  }

  async function writeAll(): Promise<void> {
    const { store } = await eventually(() => opened().catch(() => undefined), 'a store');
    await eventually(() => store.claimAll(), 'an owner');
    const gone = await addTopic(store, 'gone');
    await append(store, gone);
    await store.deleteTopic('gone');
    const others = await addTopic(store, 'others');
    const orders = await addTopic(store, 'orders');
    await append(store, orders);
    await store.deleteUntil(orders, 1);
    const commit = { topic: 'orders', partition: 0, offset: 2, leaderEpoch: -1, metadata: '' };
    await store.saveGroupOffsets('readers', [{ ...commit, committedAtMs: 1 }]);
    await store.saveGroupMembers('readers', Uint8Array.of(1));
    await withTables(store, async (tables) => {
      for (const table of [tables.retained, tables.wills, tables.access])
        await table.put('a key', Uint8Array.of(1));
    });
    // What is behind all others is whole: from there on a broker reads with others.
    await append(store, others);
    await store.close();
  }

  /** Resolves with the id of its partition. */
  async function addTopic(store: JetStreamStore, name: string): Promise<number> {
    const topicId = new Uint8Array(16).fill(name.length);
    const topic = { name, topicId, configs: {}, createdAtMs: 1, partitionCount: 1 };
    return (await store.createTopic(topic)).partitions[0]!.id;
  }

  async function append(store: JetStreamStore, partition: number): Promise<void> {
    for (let baseOffset = 0; baseOffset < 3; baseOffset++) {
      const batch = { baseOffset, lastOffset: baseOffset, count: 1, maxTimestamp: 1 };
      await store.append(partition, { ...batch, bytes: new Uint8Array(100), producer: undefined });
    }
  }

  async function withTables(
    store: JetStreamStore,
    work: (tables: SharedTables, keys: readonly string[]) => Promise<void>,
  ): Promise<void> {
    const tables = await patiently(() => openTables(store.jetStream, CLUSTER, 'commit'));
    const keys: string[] = [];
    for (const table of [tables.retained, tables.wills, tables.access]) {
      await table.open(({ key }) => keys.push(key));
    }
    await work(tables, keys);
    tables.close();
  }

  /** What a broker that starts knows; undefined where JetStream does not answer yet. */
  async function known(): Promise<unknown> {
    try {
      const { store, state } = await opened();
      let shared: readonly string[] = [];
      await withTables(store, async (_tables, keys) => {
        shared = [...new Set(keys)];
      });
      await store.close();
      return { ...state, shared };
    } catch {
      return undefined;
    }
  }

  async function damage(server: NatsServer): Promise<void> {
    await server.end('SIGTERM');
    for (const [stream, subjects] of Object.entries(DAMAGED)) {
      for (const subject of Object.keys(subjects)) flipBit(server, stream, `${CLUSTER}.${subject}`);
    }
    server.start();
    await server.untilReady();
  }

  /** In the last message of the first subject that begins so. */
  function flipBit(server: NatsServer, stream: string, subject: string): void {
    const blocks = globSync(join(server.folder, `jetstream/*/streams/${CLUSTER}-${stream}/msgs/*.blk`));
    const file = blocks.find((block) => readFileSync(block).includes(subject))!;
    const bytes = readFileSync(file);
    const place = bytes.lastIndexOf(subject);
    bytes[place] = bytes[place]! ^ 4;
    writeFileSync(file, bytes);
  }

  async function lead({ name }: NatsServer): Promise<void> {
    await eventually(
      () =>
        withLook(look(), async ({ jetStream }) => {
          const streams = await streamsOf(jetStream, CLUSTER);
          const isLed = streams.every(({ replicas }) =>
            replicas.every(({ server, isLeader, isCurrent }) => isCurrent && isLeader === (server === name)),
          );
          if (isLed) return true;
          for (const { stream } of streams) {
            const placement = { preferred: name };
            await jetStream.ask(`STREAM.LEADER.STEPDOWN.${stream}`, { placement }).catch(() => {});
          }
          return false;
        }).catch(() => false),
      `${name} leads`,
    );
  }

  async function findings(): Promise<readonly CheckFinding[]> {
    return (await clusterCheck({ ...look(), countsOnly: false })).findings;
  }
});

function byServer(found: readonly CheckFinding[]) {
  return found
    .map(({ server, stream, kinds }) => ({ server, stream, kinds }))
    .sort((a, b) => (a.stream < b.stream ? -1 : 1));
}

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
