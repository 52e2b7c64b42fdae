import { globSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { clusterCheck } from '../../internal/cluster/inspect/check.ts';
import { withLook } from '../../internal/cluster/inspect/look.ts';
import { streamsOf } from '../../internal/cluster/inspect/streams.ts';
import { JetStreamStore } from '../../internal/cluster/jetstream-store.ts';
import { systemClock } from '../../internal/lib/clock.ts';
import { eventually } from '../support/eventually.ts';
import { type NatsServer, type NatsServers, natsServer, startNats } from '../support/nats-servers.ts';
import { runTinymq } from '../support/tinymq-program.ts';

/*
 * NATS neither notices nor repairs a bit that flips in a block of one replica: that server passes over the message, or over all that is
 * behind it in the block, without a word. Readers must not, and `cluster check` has to name the server.
 */

const program = await natsServer();
/** Blocks of a stream have 8 MiB. */
const BATCHES = 240;
const BATCH_BYTES = 96 * 1024;

describe.runIf('there' in program)('a bit that flips on the disk of a NATS server', () => {
  let nats: NatsServers;
  let partition: number;
  /** A cluster for each test, whose blocks are the same on all servers. */
  let cluster = '';
  let clusters = 0;
  const look = () => ({
    urls: nats.urls,
    name: cluster,
    monitors: nats.servers.map(({ monitorUrl }) => monitorUrl),
  });
  const newStore = () =>
    new JetStreamStore({ urls: nats.urls, name: cluster, fsync: 'commit', shards: 1, clock: systemClock });

  beforeAll(async () => {
    nats = await startNats('there' in program ? program.there : '');
  });
  afterAll(() => nats?.close());
  beforeEach(async () => {
    cluster = `rotting${++clusters}`;
    const store = await opened();
    await eventually(() => store.claimAll(), 'an owner');
    const topicId = new Uint8Array(16).fill(7);
    const topic = { name: 'orders', topicId, configs: {}, createdAtMs: 1, partitionCount: 1 };
    partition = (await store.createTopic(topic)).partitions[0]!.id;
    await Promise.all(
      Array.from({ length: BATCHES }, (_, baseOffset) => {
        const bytes = new Uint8Array(BATCH_BYTES).fill(baseOffset);
        const batch = { baseOffset, lastOffset: baseOffset, count: 1, maxTimestamp: 1, bytes };
        return store.append(partition, { ...batch, producer: undefined });
      }),
    );
    await store.close();
  });

  /** Streams that were just made are not known everywhere yet. */
  async function opened(): Promise<JetStreamStore> {
    return eventually(async () => {
      const store = newStore();
      return store.open().then(
        () => store,
        () => undefined,
      );
    }, 'a store');
  }

  /** The offsets that a reader gets, in the order in which it gets them. */
  async function offsetsRead(): Promise<number[]> {
    const store = await opened();
    const offsets: number[] = [];
    while (offsets.length < BATCHES) {
      const batches = await store.read(partition, offsets.length, 8 * BATCH_BYTES);
      for (const { baseOffset, bytes } of batches) {
        expect(bytes[0]).toBe(baseOffset % 256);
        offsets.push(baseOffset);
      }
      if (batches.length === 0) break;
    }
    await store.close();
    return offsets;
  }

  async function leader(): Promise<number> {
    const streams = await withLook(look(), ({ jetStream }) => streamsOf(jetStream, cluster));
    const stream = streams.find((each) => each.stream === `${cluster}-L0`)!;
    return Number(stream.replicas.find(({ isLeader }) => isLeader)?.server.slice(1)) - 1;
  }

  async function stopped(server: NatsServer, work: (server: NatsServer) => void): Promise<void> {
    await server.end('SIGTERM');
    try {
      work(server);
    } finally {
      server.start();
    }
    await server.untilReady();
  }

  /** Without its index a block is read when the server starts, up to what is damaged in it; else one message is passed over. */
  function flipBit(server: NatsServer, hasIndex = true): void {
    const messages = join(server.folder, `jetstream/*/streams/${cluster}-L0/msgs`);
    // What was copied from others begins with another number.
    const [block] = globSync(join(messages, '*.blk'))
      .filter((file) => statSync(file).size > 4 * BATCH_BYTES)
      .sort((a, b) => Number.parseInt(basename(a), 10) - Number.parseInt(basename(b), 10));
    if (!hasIndex) for (const index of globSync(join(messages, 'index.db'))) rmSync(index);
    const bytes = readFileSync(block!);
    const place = Math.floor(bytes.length / 2);
    bytes[place] = bytes[place]! ^ 4;
    writeFileSync(block!, bytes);
  }

  const ALL = Array.from({ length: BATCHES }, (_, offset) => offset);

  it.each([
    ['the leader', 0, true],
    ['another one', 1, true],
    ['the leader, whose index is gone', 0, false],
    ['another one, whose index is gone', 2, false],
  ])(
    'on %s is passed over by no reader, and found, and mended as is said',
    { timeout: 180_000 },
    async (_name, step, hasIndex) => {
      const victim = nats.servers[((await leader()) + step) % 3]!;
      const name = `n${nats.servers.indexOf(victim) + 1}`;
      await stopped(victim, (server) => flipBit(server, hasIndex));
      expect(await offsetsRead()).toEqual(ALL);
      const { findings } = await clusterCheck({ ...look(), countsOnly: false });
      expect(findings).toHaveLength(1);
      const [{ server, stream, problem, advice }] = findings as [(typeof findings)[0]];
      expect({ server, stream }).toEqual({ server: name, stream: `${cluster}-L0` });
      expect(problem).toMatch(
        new RegExp(`^${name} lacks \\d+ of the messages of ${cluster}-L0 that others have`),
      );
      // A server that lost the index knows itself that it has less.
      const counted = await clusterCheck({ ...look(), countsOnly: true });
      expect(counted.findings.map((finding) => finding.server)).toEqual(hasIndex ? [] : [name]);

      const folder = /delete (\S+), and start it/.exec(advice)![1]!;
      expect(folder.startsWith(victim.folder)).toBe(true);
      await stopped(victim, () => rmSync(folder, { recursive: true }));
      expect((await clusterCheck({ ...look(), countsOnly: false })).findings).toEqual([]);
      expect(await offsetsRead()).toEqual(ALL);
    },
  );

  it('on all of them is told by its offsets, with exit code 1', { timeout: 180_000 }, async () => {
    for (const server of nats.servers) await stopped(server, (stopping) => flipBit(stopping));
    const flags = ['-cluster', nats.urls.join(','), '-cluster-name', cluster];
    const DAMAGE = /offsets (\d+) to (\d+) of topic orders, partition 0, are on no server/;
    // Servers that have just been started may not answer yet.
    const [, first, last] = await eventually(async () => {
      const { code, errors } = await runTinymq(['cluster', 'check', ...flags, '-quiet']);
      expect(code).toBe(1);
      return DAMAGE.exec(errors) ?? undefined;
    }, 'what is damaged');
    expect(Number(last)).toBeGreaterThanOrEqual(Number(first));
    const store = await opened();
    await expect(store.read(partition, Number(first), BATCH_BYTES)).rejects.toMatchObject({
      code: 'corrupt',
    });
    const [next] = await store.read(partition, Number(last) + 1, BATCH_BYTES);
    expect(next!.baseOffset).toBe(Number(last) + 1);
    await store.close();
  });
});

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
