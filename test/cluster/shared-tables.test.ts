import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectToNats } from '../../internal/cluster/connection.ts';
import { JetStream } from '../../internal/cluster/jetstream.ts';
import { openTables } from '../../internal/cluster/jetstream-tables.ts';
import { patiently } from '../../internal/cluster/patience.ts';
import type { SharedTable } from '../../internal/store/shared-table.ts';
import { eventually } from '../support/eventually.ts';
import { FakeTables } from '../support/fake-tables.ts';
import { type NatsServers, natsServer, startNats } from '../support/nats-servers.ts';

/*
 * What nodes share is the same for all of them, however two of them change it at once. The table in memory that other tests
 * use does the same as the one of NATS.
 */

/** Opens a table of a new cluster as another node sees it, with all that it has. */
type OpenNode = () => Promise<{ table: SharedTable; has: Map<string, string> }>;

async function opened(table: SharedTable): ReturnType<OpenNode> {
  const has = new Map<string, string>();
  await table.open(({ key, value }) => {
    if (value === undefined) has.delete(key);
    else has.set(key, Buffer.from(value).toString());
  });
  return { table, has };
}

const bytes = (text: string) => Buffer.from(text);
/** Names that no subject could have. */
const KEYS = ['a', '', '*', '>', 'a.b', 'a b', '\r\n', '€'.repeat(20_000), 'a/b/+/#'];

function describeTable(newCluster: () => OpenNode): void {
  it('tells every node what there is and what comes, by any key', async () => {
    const openNode = newCluster();
    const one = await openNode();
    for (const key of KEYS) await one.table.put(key, bytes(`value of ${key}`));
    await one.table.put('gone', bytes('x'));
    await one.table.put('gone', undefined);
    const other = await openNode();
    expect(other.has).toEqual(new Map(KEYS.map((key) => [key, `value of ${key}`])));
    await one.table.put('a', bytes('newer'));
    await one.table.put('*', undefined);
    await eventually(() => other.has.get('a') === 'newer' && !other.has.has('*'), 'the changes');
  });

  it('has one last value where two nodes put at once', async () => {
    const openNode = newCluster();
    const [one, other, third] = await Promise.all([openNode(), openNode(), openNode()]);
    const all = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const { table } = index % 2 === 0 ? one : other;
        return { text: `${index}`, sequence: await table.put('k', bytes(`${index}`)) };
      }),
    );
    const last = all.reduce((a, b) => (a.sequence > b.sequence ? a : b));
    await eventually(() => third.has.get('k') === last.text, 'the last value');
  });

  it('swaps only what was not changed meanwhile', async () => {
    const openNode = newCluster();
    const [one, other] = await Promise.all([openNode(), openNode()]);
    const first = await one.table.swap('k', 0, bytes('1'));
    expect(first).toBeGreaterThan(0);
    expect(await other.table.swap('k', 0, bytes('2'))).toBeUndefined();
    const second = await other.table.swap('k', first!, bytes('3'));
    expect(second).toBeGreaterThan(first!);
    expect(await one.table.swap('k', first!, bytes('4'))).toBeUndefined();
    await eventually(() => one.has.get('k') === '3', 'the value of the other');
    expect(await other.table.get('k')).toMatchObject({ sequence: second });
    expect(await other.table.get('none')).toBeUndefined();
  });
}

describe('a table in memory', () => {
  describeTable(() => {
    const tables = new FakeTables();
    return () => opened(tables.ofNode(() => false).retained);
  });
});

const program = await natsServer();

describe.runIf('there' in program)('a table in JetStream', { timeout: 120_000 }, () => {
  let nats: NatsServers;
  let clusters = 0;
  const closers: (() => Promise<void> | void)[] = [];
  beforeAll(async () => {
    nats = await startNats('there' in program ? program.there : '');
  });
  afterAll(async () => {
    for (const close of closers) await close();
    await nats?.close();
  });

  async function openNode(cluster: string, which: 'retained' | 'access' = 'retained') {
    const connection = await connectToNats({ urls: nats.urls, fsync: 'commit' });
    const open = () => openTables(new JetStream(connection), cluster, 'commit');
    const tables = await patiently(open);
    closers.push(() => tables.close());
    closers.push(() => connection.close());
    return opened(tables[which]);
  }

  describeTable(() => {
    const cluster = `t${++clusters}`;
    return () => openNode(cluster);
  });

  it('forgets what nobody wants any more, and keeps tables apart', async () => {
    const one = await openNode('expiring');
    await one.table.put('soon', bytes('x'), Date.now() + 500);
    await one.table.put('later', bytes('x'), Date.now() + 3_600_000);
    await eventually(async () => {
      const { has } = await openNode('expiring');
      return !has.has('soon') && has.has('later');
    }, 'the end of what expires');
    expect((await openNode('expiring', 'access')).has).toEqual(new Map());
  });

  it('is opened while others change it all the time', async () => {
    const one = await openNode('busy');
    for (let index = 0; index < 50; index++) await one.table.put(`k${index}`, bytes('x'));
    let isOver = false;
    const changing = Promise.all(
      [0, 1, 2, 3].map(async (key) => {
        while (!isOver) await one.table.put(`k${key}`, bytes('newer'));
      }),
    );
    for (let round = 0; round < 10; round++) expect((await openNode('busy')).has.size).toBe(50);
    isOver = true;
    await changing;
  });

  it('goes on when servers are gone for a while', async () => {
    const [one, other] = [await openNode('outage'), await openNode('outage')];
    await one.table.put('k', bytes('before'));
    await Promise.all(nats.servers.slice(0, 2).map((server) => server.kill()));
    await expect(one.table.put('k', bytes('lost?'))).rejects.toMatchObject({ code: 'unavailable' });
    for (const server of nats.servers.slice(0, 2)) server.start();
    await eventually(async () => {
      await one.table.put('k', bytes('after')).catch(() => {});
      return other.has.get('k') === 'after';
    }, 'what is put after them');
  });
});
