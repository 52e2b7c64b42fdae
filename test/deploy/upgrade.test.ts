import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type BrokerProcess,
  brokerProcess,
  type Ended,
  program,
  REPORTING,
  run,
  start,
} from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';

/* Stores that older versions wrote (test/golden/stores), opened by the programs of today. */

const stores = fileURLToPath(new URL('../golden/stores/', import.meta.url));
const names = readdirSync(stores).flatMap((name) => /^(.+)\.(db|tar)\.gz$/.exec(name)?.[1] ?? []);
const folder = mkdtempSync(join(tmpdir(), 'tinymq-upgrade-'));
afterAll(() => rmSync(folder, { recursive: true }));

const hasMosquitto = spawnSync('mosquitto_sub', ['--help']).error === undefined;

/** A data folder with one of the stores. */
function dataFolder(name: string, into = name): string {
  const data = join(folder, into);
  mkdirSync(data);
  const folderOfStore = join(stores, `${name}.tar.gz`);
  if (existsSync(folderOfStore)) {
    expect(spawnSync('tar', ['-xzf', folderOfStore, '-C', data]).status).toBe(0);
    return data;
  }
  const file = join(data, 'tinymq.db');
  writeFileSync(file, gunzipSync(readFileSync(join(stores, `${name}.db.gz`))));
  chmodSync(file, 0o600);
  return data;
}

/** A broker on such a folder; its messages are older than those that a broker keeps unless told otherwise. */
function startOn(data: string): Promise<BrokerProcess> {
  const doors = ['-address', '-kafka', '-http'].flatMap((door) => [door, 'localhost:0']);
  return brokerProcess(
    start(program('broker'), [...doors, '-keep-for', '0', '-data-dir', data, ...REPORTING]),
  );
}

async function addressOf(broker: BrokerProcess, door: string): Promise<string> {
  return new URL(String((await broker.logged({ event: 'listening', door })).url)).host;
}

const tinymq = (...args: string[]): Promise<Ended> => run(program('tinymq'), args);

/** What a command prints with -json. */
async function told<T>(data: string, ...command: string[]): Promise<T> {
  const { code, stdout, stderr } = await tinymq(...command, '-data-dir', data, '-json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

function formatOf(data: string, file = 'tinymq.db'): number {
  const db = new DatabaseSync(join(data, file), { readOnly: true });
  try {
    return Object.values(db.prepare('PRAGMA user_version').get()!)[0] as number;
  } finally {
    db.close();
  }
}

/** The format that this version writes. */
async function formatOfToday(): Promise<number> {
  const data = join(folder, 'new');
  await using broker = await startOn(data);
  await broker.stop();
  return formatOf(data);
}

it('has a store of each format', async () => {
  const formats = new Set(names.map((name) => Number(/^format-(\d+)/.exec(name)![1])));
  const newest = await formatOfToday();
  expect([...formats].sort()).toEqual(Array.from({ length: newest }, (_, index) => index + 1));
});

describe.each(names)('the store %s', (name) => {
  const hasSessions = name !== 'format-1';
  const hasUsers = hasSessions && name !== 'format-2';

  it('is opened, and everything in it is there', async () => {
    const data = dataFolder(name);
    await using broker = await startOn(data);
    await expectLogs(broker, data);
    if (hasSessions) await expectSessions(broker, data);
    if (hasUsers) await expectUsers(broker, data);
    expect((await broker.stop()).code).toBe(0);
    expect(await tinymq('verify', '-data-dir', data)).toMatchObject({ code: 0 });
  });

  // The copy is a store as the older version had it, so that one can go on with it.
  it('is copied by tinymq backup in its own format, is not changed by that, and goes on from the copy', async () => {
    const data = dataFolder(name, `${name}-before`);
    const copy = join(folder, `${name}.backup`);
    const format = formatOf(data);
    expect(await tinymq('backup', copy, '-data-dir', data)).toMatchObject({ code: 0 });
    expect([formatOf(data), formatOf(copy, '')]).toEqual([format, format]);
    const restored = join(folder, `${name}-restored`);
    expect(await tinymq('restore', copy, '-data-dir', restored)).toMatchObject({ code: 0 });
    await using broker = await startOn(restored);
    await expectLogs(broker, restored);
  });
});

async function expectLogs(broker: BrokerProcess, data: string): Promise<void> {
  const frames = await addressOf(broker, 'frames');
  const replayed = await run(program('subscriber'), [
    ...['-address', frames, '-topic', 'kept/#', '-from', 'earliest', '-count', '3', '-timeout', '60s'],
  ]);
  expect(replayed).toMatchObject({
    code: 0,
    stdout: ['one', 'two', 'three'].map((text) => `Received on kept/a: ${text}\n`).join(''),
  });
  const kafka = await addressOf(broker, 'kafka');
  const consumed = await tinymq(
    ...['consume', 'orders', '-address', kafka, '-from', 'beginning', '-exit', '-format', '%p %k %s %h\\n'],
  );
  expect(consumed.code).toBe(0);
  expect(consumed.stdout.split('\n').sort().join('\n').trim()).toBe(
    '0 alice apple kind=fruit\n0 bob pears kind=fruit\n1 carol plums',
  );
  expect(await told(data, 'groups', 'show', 'billing')).toMatchObject({
    state: 'Empty',
    lag: 0,
    partitions: [{ committedOffset: 2 }, { committedOffset: 1 }],
  });
}

async function expectSessions(broker: BrokerProcess, data: string): Promise<void> {
  const http = `http://${await addressOf(broker, 'http')}`;
  expect(await (await fetch(`${http}/topics/state/door`)).text()).toBe('open');
  // Its client was there when the broker was killed.
  const will = async () => (await (await fetch(`${http}/topics/wills/willing`)).text()) === 'gone';
  await eventually(will, 'the will, which is due as if its client had gone then');
  expect(await told(data, 'sessions', 'ls')).toMatchObject([
    { clientId: 'shed', expiryMs: null, waitingMessages: 1, subscriptions: 1 },
    { clientId: 'willing', expiryMs: null, subscriptions: 1 },
  ]);
  if (!hasMosquitto) return;
  const port = (await addressOf(broker, 'frames')).split(':').at(-1)!;
  const shed = [
    '-V',
    'mqttv5',
    '-i',
    'shed',
    '-c',
    '-x',
    '4294967295',
    '-q',
    '1',
    '-t',
    'sensors/#',
    '-C',
    '1',
  ];
  expect(await run('mosquitto_sub', ['-p', port, ...shed])).toMatchObject({ code: 0, stdout: '22.5\n' });
}

async function expectUsers(broker: BrokerProcess, data: string): Promise<void> {
  expect(await told(data, 'users', 'list')).toMatchObject([
    { name: 'anna', enabled: true, groups: ['admin'], mechanisms: ['SCRAM-SHA-256', 'SCRAM-SHA-512'] },
  ]);
  const rules = await told<{ text: string }[]>(data, 'acl', 'list');
  expect(rules.map(({ text }) => text)).toContain('allow publish on topics devices/%u/# for groups devices');
  expect(await told(data, 'limits', 'list')).toMatchObject([{ text: 'connections 7 for user anna' }]);
  const http = `http://${await addressOf(broker, 'http')}`;
  for (const [password, status] of [
    ['Wd7fgT2p', 200],
    ['wrong', 401],
  ] as const) {
    const authorization = `Basic ${Buffer.from(`anna:${password}`).toString('base64')}`;
    expect((await fetch(`${http}/me`, { headers: { authorization } })).status).toBe(status);
  }
}

it('a store of a newer version is refused, and nothing in it changes', async () => {
  const data = dataFolder(names.at(-1)!, 'newer');
  const file = join(data, 'tinymq.db');
  const newer = new DatabaseSync(file);
  newer.exec("PRAGMA user_version = 99; UPDATE entry SET value = x'ff' WHERE key LIKE 's/%'");
  newer.close();
  const before = contentOf(file);
  const refused = await run(program('broker'), ['-address', 'localhost:0', '-data-dir', data]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(`${file} has format 99; this version of tinymq knows formats up to `);
  expect(contentOf(file)).toEqual(before);
  expect(readdirSync(data).filter((each) => each.includes('damaged'))).toEqual([]);
  for (const command of [['users', 'list'], ['backup', join(folder, 'newer.backup')], ['verify']])
    expect((await tinymq(...command, '-data-dir', data)).code).toBe(1);
  expect(contentOf(file)).toEqual(before);
});

/** Every row of every table. */
function contentOf(file: string): unknown {
  const copy = join(mkdtempSync(join(folder, 'copy-')), 'tinymq.db');
  cpSync(file, copy);
  const db = new DatabaseSync(copy);
  try {
    const tables = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").all();
    return tables.map(({ name, sql }) => [name, sql, db.prepare(`SELECT * FROM "${name}"`).all()]);
  } finally {
    db.close();
  }
}
