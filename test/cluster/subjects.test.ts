import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { withLook } from '../../internal/cluster/inspect/look.ts';
import { streamsOf } from '../../internal/cluster/inspect/streams.ts';
import { JetStreamStore } from '../../internal/cluster/jetstream-store.ts';
import { openTables } from '../../internal/cluster/jetstream-tables.ts';
import { digestOf } from '../../internal/cluster/meta.ts';
import { patiently } from '../../internal/cluster/patience.ts';
import { systemClock } from '../../internal/lib/clock.ts';
import { eventually } from '../support/eventually.ts';
import { natsServer, startNats } from '../support/nats-servers.ts';

/*
 * Topics, client ids and groups may be any text: wildcards and line breaks of NATS, and longer than a line of its protocol. None of it
 * may stand in a subject, and all of it comes back. `TORTURE=50` makes the million.
 */

const program = await natsServer();
const FACTOR = Number(process.env.TORTURE ?? 1);
const NAMES = 120 * FACTOR;
const DIGESTS = 20_000 * FACTOR;

const HARD = [
  '*',
  '>',
  'a.*.>',
  '.',
  '..',
  ' ',
  '\t',
  'a\r\nPUB b 1\r\nx',
  '$JS.API.>',
  '\0',
  '🙂',
  'é',
  'e\u0301',
];
const LONG = 'x'.repeat(60_000);

function texts(count: number): string[] {
  const random = Array.from({ length: count }, () =>
    randomBytes(1 + Math.floor(Math.random() * 40)).toString('latin1'),
  );
  return [...new Set([...HARD, LONG, ...random])];
}

const DIGEST = '[\\w-]{22}';
const SUBJECT = new RegExp(
  `^names\\.(meta\\.[tk]\\.${DIGEST}|shared\\.[a-z]\\.${DIGEST}|\\d+\\.(m|[fd]\\.\\d+|l\\.\\d+\\.(-|\\d+)|g\\.${DIGEST}\\.${DIGEST}\\.\\d+|h\\.${DIGEST}))$`,
);

describe.runIf('there' in program)('names that clients give', () => {
  it('come back, and stand in no subject', { timeout: 180_000 * FACTOR }, async () => {
    await using nats = await startNats('there' in program ? program.there : '', { servers: 1 });
    const options = { urls: nats.urls, name: 'names', fsync: 'os', shards: 2, clock: systemClock } as const;
    const names = texts(NAMES);
    const store = new JetStreamStore(options);
    await store.open();
    await eventually(() => store.claimAll(), 'an owner');
    const tables = await patiently(() => openTables(store.jetStream, 'names', 'os'));
    for (const table of [tables.retained, tables.wills, tables.access]) await table.open(() => {});
    for (const name of names) {
      const topic = { name, topicId: randomBytes(16), configs: {}, createdAtMs: 1, partitionCount: 1 };
      const { partitions } = await store.createTopic(topic);
      const batch = { baseOffset: 0, lastOffset: 0, count: 1, maxTimestamp: 1, bytes: Buffer.from(name) };
      await store.append(partitions[0]!.id, { ...batch, producer: undefined });
      await store.saveGroupOffsets(name, [
        {
          topic: name,
          partition: 0,
          offset: 1,
          leaderEpoch: -1,
          metadata: name.slice(0, 99),
          committedAtMs: 1,
        },
      ]);
      await store.saveGroupMembers(name, Buffer.from(name));
      await tables.retained.put(name, Buffer.from(name));
      await tables.wills.put(name, Buffer.from(name));
      await tables.access.put(name, Buffer.from(name));
    }
    tables.close();
    await store.close();

    const subjects = await withLook({ urls: nats.urls, name: 'names' }, async ({ jetStream }) => {
      const found: string[] = [];
      for (const { stream } of await streamsOf(jetStream, 'names')) {
        const info = await jetStream.ask<{ state: { subjects?: Record<string, number> } }>(
          `STREAM.INFO.${stream}`,
          {
            subjects_filter: '>',
          },
        );
        found.push(...Object.keys(info.state.subjects ?? {}));
      }
      return found;
    });
    expect(subjects.filter((subject) => !SUBJECT.test(subject))).toEqual([]);
    // A topic, its batch, what a group committed, its members, and what two tables have of it.
    expect(subjects.length).toBeGreaterThanOrEqual(6 * names.length);

    const again = new JetStreamStore(options);
    const { topics, groups, groupMembers } = await again.open();
    expect(new Set(topics.map(({ name }) => name))).toEqual(new Set(names));
    expect(new Set(groups.keys())).toEqual(new Set(names));
    expect(new Set(groupMembers.keys())).toEqual(new Set(names));
    for (const { name, partitions } of topics) {
      const [batch] = await again.read(partitions[0]!.id, 0, 1);
      expect(Buffer.from(batch!.bytes).toString()).toBe(name);
      expect(groups.get(name)).toMatchObject([{ topic: name, partition: 0, offset: 1 }]);
    }
    const tablesAgain = await patiently(() => openTables(again.jetStream, 'names', 'os'));
    const retained = new Set<string>();
    await tablesAgain.retained.open(({ key }) => retained.add(key));
    expect(retained).toEqual(new Set(names));
    tablesAgain.close();
    await again.close();
  });
});

it('digests of names are words of NATS, and no two are the same', () => {
  const seen = new Set<string>();
  for (let index = 0; index < DIGESTS; index++) {
    const digest = digestOf(`${index} ${randomBytes(12).toString('latin1')}`);
    if (!/^[\w-]{22}$/.test(digest)) expect.fail(digest);
    seen.add(digest);
  }
  expect(seen.size).toBe(DIGESTS);
});

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
