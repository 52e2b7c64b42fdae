import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningBroker, startBroker } from '../../internal/server/start-broker.ts';
import { connect } from '../../pkg/client/index.ts';
import { program, run, start } from '../support/broker-process.ts';
import { addressOf, type ClusterProcesses, startCluster } from '../support/cluster-processes.ts';
import { eventually } from '../support/eventually.ts';
import { natsServer } from '../support/nats-servers.ts';

/*
 * What a broker on its own has kept comes into a cluster by `tinymq cluster import`, through any node, once.
 */

const nats = await natsServer();

const LOGS = 6;
const RECORDS = 1_000;
const PASSWORD = 'a-long-password';

interface ShownPartition {
  firstOffset: number;
  nextOffset: number;
}

async function ask<T>(url: string, method: string, path: string, body?: object, login = ''): Promise<T> {
  const headers = {
    ...(login !== '' && { authorization: `Basic ${Buffer.from(login).toString('base64')}` }),
    ...(body && { 'content-type': 'application/json' }),
  };
  const answer = await fetch(`${url}${path}`, { method, headers, body: body && JSON.stringify(body) });
  expect(answer.status, `${method} ${path}`).toBe(200);
  return (await answer.json()) as T;
}

const record = (topic: string, partition: number, offset: number) => ({
  ...{ topic, partition, offset, ts: 1_700_000_000_000 + offset, tstype: 'create' },
  ...{ key: offset % 2 === 0 ? null : `key ${offset}`, payload: `record ${offset}`, headers: ['a', 'b'] },
});

async function withBroker(
  dataDir: string,
  work: (http: string, broker: RunningBroker) => Promise<void>,
): Promise<void> {
  await using broker = await startBroker({
    ...{ dataDir, listen: ['tcp://127.0.0.1:0'], kafka: { listen: ['tcp://127.0.0.1:0'] } },
    http: { listen: ['http://127.0.0.1:0'] },
  });
  await work(broker.listeners.find(({ door }) => door === 'http')!.url, broker);
}

async function makeLogs(http: string): Promise<void> {
  for (let log = 0; log < LOGS; log++) {
    const topic = `log-${log}`;
    // One begins later than at 0, and one has a gap.
    const first = log === 1 ? 500 : 0;
    const records = Array.from({ length: RECORDS }, (_, at) =>
      record(topic, at % 2, first + Math.floor(at / 2) + (log === 2 && at > RECORDS / 2 ? 50 : 0)),
    );
    const settings = { 'retention.ms': '-1', ...(log === 3 && { 'cleanup.policy': 'compact' }) };
    await ask(http, 'POST', `/import/logs/${topic}`, { partitions: 3, settings, keepOffsets: true, records });
  }
}

/** Everything else that a broker keeps. */
async function makeRest(http: string, broker: RunningBroker): Promise<void> {
  for (const [partition, to] of [200, 300].entries()) {
    await ask(http, 'POST', '/groups/readers/offsets', { topic: 'log-0', partition, to: String(to) });
  }
  const client = await connect(broker.url, { clientId: 'kept', session: { expiresIn: 3_600_000 } });
  await client.publish('house/light', 'on', { qos: 1, retain: true, headers: { a: 'b' } });
  await client.close();
  await ask(http, 'POST', '/limits', { id: 'rate', limit: { user: 'ben', messagesInPerSecond: 1_000 } });
  await ask(http, 'POST', '/users', { name: 'ada', newPassword: PASSWORD, admin: true });
  const login = `ada:${PASSWORD}`;
  await ask(http, 'POST', '/users', { name: 'ben', newPassword: PASSWORD }, login);
  const rule = { id: 'readers', allow: ['publish', 'subscribe'], users: 'ben', topics: '#' };
  await ask(http, 'POST', '/rules', { rule }, login);
}

describe.runIf('there' in nats)('a data folder', { timeout: 240_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-import-folder-'));
  const data = join(folder, 'old');
  let cluster: ClusterProcesses;
  beforeAll(async () => {
    [cluster] = await Promise.all([
      startCluster('there' in nats ? nats.there : '', 2),
      withBroker(data, makeLogs),
    ]);
  }, 240_000);
  afterAll(async () => {
    await cluster?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const urlOf = (node: number) => {
    const { host, port } = addressOf(cluster.brokers[node]!, 'http');
    return `http://${host}:${port}`;
  };
  const importing = (node: number, ...more: string[]) => [
    'cluster',
    'import',
    data,
    '-url',
    urlOf(node),
    ...more,
  ];

  async function coordinator(login = ''): Promise<number> {
    const nodes = await ask<{ coordinator: boolean }[]>(urlOf(0), 'GET', '/nodes', undefined, login);
    return nodes.findIndex((node) => node.coordinator);
  }

  it('comes into a cluster, where an import that was cut goes on, and nothing comes twice', async () => {
    const there = await eventually(async () => {
      const found = await coordinator();
      return found === -1 ? undefined : found;
    }, 'a coordinator');
    const other = 1 - there;
    const cut = start(program('tinymq'), importing(there));
    await eventually(async () => {
      const { logs } = await ask<{ logs: { records: number }[] }>(urlOf(other), 'GET', '/logs');
      return logs.some(({ records }) => records > 0);
    }, 'some records');
    cut.child.kill('SIGKILL');
    await cut.ended;
    // Here the import that was cut may have ended, on a machine that is slow: it took no users over yet.
    await withBroker(data, makeRest);

    const done = await run(program('tinymq'), importing(other, '-json'));
    expect(done.code, done.stderr).toBe(0);
    expect(done.stderr).toContain('cleanup.policy is delete there');
    const imported = JSON.parse(done.stdout) as { logs: { imported: number; differing: number[] }[] };
    expect(imported.logs.map(({ differing }) => differing)).toEqual(Array.from({ length: LOGS }, () => []));
    expect(imported.logs.reduce((sum, log) => sum + log.imported, 0)).toBeLessThan(LOGS * RECORDS);
    expect(imported).toMatchObject({ retained: 1, users: 2, limits: 1, sessionsLeft: 1 });
    expect(imported).toMatchObject({ groups: { groups: 1, imported: 2, refused: [] } });

    const login = `ada:${PASSWORD}`;
    const log = (name: string) =>
      ask<{ partitions: ShownPartition[] }>(urlOf(there), 'GET', `/logs/${name}`, undefined, login);
    expect((await log('log-1')).partitions).toMatchObject([
      { firstOffset: 500, nextOffset: 1_000 },
      { firstOffset: 500, nextOffset: 1_000 },
      { firstOffset: 0, nextOffset: 0 },
    ]);
    expect((await log('log-2')).partitions[0]).toMatchObject({ firstOffset: 0, nextOffset: 550 });
    const path = '/groups/readers';
    // Another node may coordinate by now: a node that came later gets its share.
    const group = await eventually(async () => {
      const at = await coordinator(login);
      return at === -1 ? undefined : ask<{ partitions: object[] }>(urlOf(at), 'GET', path, undefined, login);
    }, 'the group');
    expect(group.partitions).toMatchObject([{ committedOffset: 200 }, { committedOffset: 300 }]);
    const light = await ask(urlOf(other), 'GET', '/retained/house%2Flight', undefined, login);
    expect(light).toMatchObject({ payload: 'on' });
  });

  it.each([0, 1])('gaps of its offsets stay, whoever leads its partitions: by node %i', async (node) => {
    const login = `ada:${PASSWORD}`;
    const topic = `gaps-${node}`;
    const records = Array.from({ length: 8 }, (_, partition) =>
      [0, 50].map((at) => record(topic, partition, at)),
    );
    const body = { partitions: 8, keepOffsets: true, records: records.flat() };
    await ask(urlOf(node), 'POST', `/import/logs/${topic}`, body, login);
    const shown = await ask<{ partitions: ShownPartition[] }>(
      urlOf(node),
      'GET',
      `/logs/${topic}`,
      undefined,
      login,
    );
    expect(shown.partitions.map(({ nextOffset }) => nextOffset)).toEqual(Array(8).fill(51));
  });

  it('a second time changes nothing, and says what has become another one', async () => {
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, PASSWORD);
    const login = ['-user', 'ada', '-password-file', passwordFile];
    const again = await run(program('tinymq'), importing(0, '-json', ...login));
    expect(again.code, again.stderr).toBe(0);
    const nothing = { retained: 0, users: 0, rules: 0, limits: 0, groups: { imported: 0 } };
    expect(JSON.parse(again.stdout)).toMatchObject(nothing);
    const { logs } = JSON.parse(again.stdout) as { logs: { imported: number }[] };
    expect(logs.map(({ imported }) => imported)).toEqual(Array.from({ length: LOGS }, () => 0));
  });

  it('that a broker has is refused, and one that is none', async () => {
    const broker = await startBroker({
      dataDir: data,
      listen: ['tcp://127.0.0.1:0'],
      kafka: { listen: ['tcp://127.0.0.1:0'] },
    });
    const locked = await run(program('tinymq'), importing(0));
    await broker.close();
    expect(locked).toMatchObject({ code: 1, stdout: '' });
    expect(locked.stderr).toContain('stop that broker, or import a backup of it');
    const none = await run(program('tinymq'), ['cluster', 'import', folder, '-url', urlOf(0)]);
    expect(none).toMatchObject({ code: 2, stdout: '' });
    expect(none.stderr).toContain('is no data folder of a broker');
  });
});
