import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { urlOf } from '../support/listeners.ts';
import { runTinymq } from '../support/tinymq-program.ts';

const ADMINISTRATIVE_ACTION = 0x98;
const folder = mkdtempSync(join(tmpdir(), 'tinymq-running-'));
const dataDir = join(folder, 'data');
const passwordFile = join(folder, 'anna.txt');
const env = { XDG_CONFIG_HOME: join(folder, 'config') };
let broker: RunningBroker;

beforeAll(async () => {
  writeFileSync(passwordFile, 'open-sesame-77\n');
  await done(['users', 'add', 'anna', '-admin', '-password-file', passwordFile, '-data-dir', dataDir]);
  await done(['users', 'add', 'ben', '-password-file', passwordFile, '-data-dir', dataDir, '-quiet']);
  await done(['acl', 'add', '-allow', 'all', '-users', 'ben', '-topics', '#', '-data-dir', dataDir]);
  broker = await startBroker({
    ...{ listen: ['tcp://127.0.0.1:0'], http: { listen: ['http://127.0.0.1:0'] } },
    ...{ dataDir, adminSocket: true, sysIntervalMs: 0, keep: [{ filter: 'kept/#' }] },
  });
});
afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});

/** Runs `tinymq`, and expects that it succeeds. */
async function done(args: string[], more: NodeJS.ProcessEnv = {}): Promise<string> {
  const { code, out, errors } = await runTinymq(args, '', { ...env, ...more });
  expect(code, errors).toBe(0);
  return out;
}

const login = (clientId: string, more: object = {}) =>
  connectMqtt(urlOf(broker, 'frames'), 5, {
    ...{ clientId, userName: 'ben', password: Buffer.from('open-sesame-77') },
    ...more,
  });

const ways: [string, () => string[]][] = [
  ['by the socket of its owner', () => ['-data-dir', dataDir]],
  [
    'by its HTTP door',
    () => ['-url', urlOf(broker, 'http'), '-user', 'anna', '-password-file', passwordFile],
  ],
];

describe.each(ways)('a broker that is reached %s', (_, place) => {
  it('tells its status', async () => {
    const client = await login('s-1');
    await client.publishSafely('kept/a', 'x', { retain: true });
    const out = await done(['status', ...place()]);
    expect(out).toMatch(
      /^version +tinymq \S+, up \d+ (?:s|min)\nhealth +pass\nstore +data folder .*data, format 5,/m,
    );
    expect(out).toMatch(/^mqtt +[1-9]/m);
    const overview = JSON.parse(await done(['status', '-json', ...place()]));
    expect(overview).toMatchObject({ health: 'pass', store: { kind: 'data-folder', format: 5 }, logs: 1 });
    client.drop();
  });

  it('lists its clients, as they are looked for', async () => {
    const clients = [await login('k-1'), await login('k-2'), await login('other')];
    const list = async (...args: string[]) => {
      const found = JSON.parse(await done(['clients', 'ls', '-json', ...args, ...place()]));
      return found.map(({ clientId }: { clientId: string }) => clientId);
    };
    expect(await list('-search', 'K-', '-sort', 'client')).toEqual(['k-1', 'k-2']);
    expect(await list('-door', 'kafka')).toEqual([]);
    const { code, out, errors } = await runTinymq(
      ['clients', 'ls', '-search', 'k-', '-sort', 'client', '-limit', '1', ...place()],
      '',
      env,
    );
    expect([code, errors]).toEqual([0, '1 of 2; -limit N prints more\n']);
    expect(out).toMatch(/^ID +CLIENT USER DOOR .*\n\d+ +k-1 +ben +mqtt /);
    for (const client of clients) client.drop();
  });

  it('shows a client, and ends it for a reason that is told', async () => {
    const client = await login('victim');
    await client.subscribe('a/b', 1);
    await client.subscribe('c/#', 0);
    const shown = await done(['clients', 'show', 'victim', ...place()]);
    expect(shown).toMatch(/^client +victim$/m);
    expect(shown).toMatch(/^filters +a\/b\n +c\/#$/m);
    expect(JSON.parse(await done(['clients', 'show', 'victim', '-json', ...place()]))).toMatchObject({
      ...{ clientId: 'victim', user: 'ben', door: 'mqtt', filters: ['a/b', 'c/#'] },
    });
    expect(await done(['clients', 'kick', 'victim', ...place()])).toMatch(/^Ended connection \d+\.\n$/);
    expect((await client.next(PacketType.disconnect)).reasonCode).toBe(ADMINISTRATIVE_ACTION);
    const gone = await runTinymq(['clients', 'kick', 'victim', ...place()], '', env);
    expect([gone.code, gone.errors]).toEqual([1, "tinymq clients kick: there is no connection 'victim'\n"]);
  });

  it('lists sessions and subscriptions, and ends a session with what waits', async () => {
    const lasting = await login('lasting', {
      cleanStart: true,
      properties: { sessionExpiryIntervalS: 3600 },
    });
    await lasting.subscribe('jobs/#', 1);
    lasting.drop();
    const other = await login('other');
    await other.publishSafely('jobs/1', 'wait');
    const list = async () =>
      JSON.parse(await done(['sessions', 'ls', '-search', 'LAST', '-json', ...place()]));
    expect(await list()).toMatchObject([
      { clientId: 'lasting', user: 'ben', isConnected: false, waitingMessages: 1 },
    ]);
    expect(await done(['sessions', 'ls', '-search', 'last', ...place()])).toMatch(
      /\nlasting +ben +no +60 min +1 +1 +0 *\n/,
    );
    expect(await done(['subscriptions', '-search', 'jobs/', ...place()])).toMatch(
      /\njobs\/# +lasting +ben +mqtt +no\n/,
    );
    expect(await done(['sessions', 'rm', 'lasting', ...place()])).toBe("Ended the session of 'lasting'.\n");
    expect(await list()).toEqual([]);
    other.drop();
  });

  it('lists and removes retained messages', async () => {
    const client = await login('r-1');
    for (const topic of ['old/a', 'old/b', 'new/a'])
      await client.publishSafely(topic, 'xyz', { retain: true });
    const out = await done(['retained', 'ls', 'old/#', ...place()]);
    expect(out).toMatch(/^TOPIC +BYTES .*\nold\/a +3 +.*\nold\/b +3 /);
    expect(await done(['retained', 'rm', 'old/a', 'old/b', ...place()])).toBe(
      'Removed 2 retained messages.\n',
    );
    expect(JSON.parse(await done(['retained', 'ls', 'old/#', '-json', ...place()]))).toEqual([]);
    const { code, errors } = await runTinymq(['retained', 'rm', 'old/a', ...place()], '', env);
    expect([code, errors]).toEqual([1, "tinymq retained rm: topic 'old/a' has no retained message\n"]);
    client.drop();
  });

  it('gives a retained message, and writes all of them into a file that brings them back', async () => {
    const client = await login('r-2');
    await client.publishSafely('shelf/a', 'one', {
      ...{ retain: true, properties: { contentType: 'text/plain', userProperties: [['n', 'v']] } },
    });
    await client.publishSafely('shelf/b', 'zwei ü', { retain: true });
    expect(await done(['retained', 'get', 'shelf/a', ...place()])).toBe('one');
    const kept = JSON.parse(await done(['retained', 'get', 'shelf/a', '-json', ...place()]));
    expect(kept).toMatchObject({ payload: 'one', clientId: 'r-2', user: 'ben', contentType: 'text/plain' });

    const file = join(folder, 'shelf.jsonl');
    const exported = ['retained', 'export', file, '-filter', 'shelf/#', ...place()];
    expect(await done(exported)).toBe(`Wrote 2 retained messages into ${file}.\n`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([kept, { payload: 'zwei ü', qos: 1 }]);
    const twice = await runTinymq(exported, '', env);
    expect([twice.code, twice.errors]).toEqual([1, expect.stringContaining('it exists already')]);

    await done(['retained', 'rm', 'shelf/a', 'shelf/b', ...place()]);
    const imported = await done(['retained', 'import', file, '-json', ...place()]);
    expect(JSON.parse(imported)).toEqual({ file, imported: 2, expired: 0 });
    expect(JSON.parse(await done(['retained', 'get', 'shelf/a', '-json', ...place()]))).toEqual(kept);

    writeFileSync(file, `${lines[0]}\n{"topic":"shelf/#"}\n`);
    const refused = await runTinymq(['retained', 'import', file, ...place()], '', env);
    expect([refused.code, refused.errors]).toEqual([1, expect.stringContaining(`${file}, lines 1 to 2: `)]);
    writeFileSync(file, `${lines[0]}\nno JSON\n`);
    const broken = await runTinymq(['retained', 'import', file, ...place()], '', env);
    expect([broken.code, broken.errors]).toEqual([
      1,
      expect.stringContaining('line 2: it is no JSON object'),
    ]);
    rmSync(file);
    const missing = await runTinymq(['retained', 'import', file, ...place()], '', env);
    expect([missing.code, missing.errors]).toEqual([1, expect.stringContaining('no such file')]);
    client.drop();
  });

  it('lists and shows logs', async () => {
    const client = await login('l-1');
    await client.publishSafely('kept/a', 'x');
    client.drop();
    const [log] = JSON.parse(await done(['logs', 'ls', '-json', ...place()]));
    expect(log).toMatchObject({ topic: 'kept/a', partitions: 1 });
    expect(await done(['logs', 'ls', ...place()])).toMatch(/^LOG +PARTITIONS +MESSAGES .*\nkept.a +1 +[1-9]/);
    expect(await done(['logs', 'show', log.name, ...place()])).toMatch(
      /^PARTITION +FIRST +NEXT +BYTES +LEADER\n0 +0 +[1-9]\d* +\d+ +1$/m,
    );
    expect(JSON.parse(await done(['logs', 'show', log.name, '-json', ...place()]))).toMatchObject({
      partitionCount: 1,
    });
  });

  it('is checked', async () => {
    const out = await done(['check', ...place()]);
    expect(out).toMatch(
      /^TINYMQ OK - tinymq \S+, \d+ connections? \| connections=\d+;;;0 .*disk_free=\d+B;;;0\n$/,
    );
    const metrics = await done(['check', '-format', 'prometheus', ...place()]);
    expect(metrics).toMatch(/^tinymq_up 1\n(.*\n)*tinymq_check_state 0\n/m);
    expect(JSON.parse(await done(['check', '-json', ...place()]))).toMatchObject({
      state: 'OK',
      exitCode: 0,
    });
  });
});

describe('a check', () => {
  const check = (...args: string[]) => runTinymq(['check', ...args], '', env);

  it('of a broker that does not run is critical', async () => {
    const absent = join(folder, 'absent');
    const { code, out } = await check('-data-dir', absent);
    expect(code).toBe(2);
    expect(out).toMatch(/^TINYMQ CRITICAL - no broker runs with .*absent/);
    const metrics = await check('-data-dir', absent, '-format', 'prometheus');
    expect([metrics.code, metrics.out]).toEqual([2, expect.stringContaining('\ntinymq_up 0\n')]);
  });

  it('that may not ask, or is asked wrongly, is unknown', async () => {
    const url = urlOf(broker, 'http');
    const ben = await check('-url', url, '-user', 'ben', '-password-file', passwordFile);
    expect([ben.code, ben.out]).toEqual([3, expect.stringMatching(/^TINYMQ UNKNOWN - /)]);
    const nobody = await check('-url', url);
    expect(nobody).toMatchObject({
      code: 3,
      out: expect.stringMatching(/clients have to show who they are: log in with -user or -token-file\n$/),
    });
    const wrong = await check('-colour');
    expect([wrong.code, wrong.out]).toEqual([3, "TINYMQ UNKNOWN - unknown flag '-colour'\n"]);
  });
});

describe('contexts', () => {
  const file = join(env.XDG_CONFIG_HOME, 'tinymq', 'contexts.json');
  const refused = async (args: string[]) => {
    const { code, errors } = await runTinymq(args, '', env);
    expect(code, errors).toBe(2);
    return errors;
  };

  it('stand for a place and a login, in a file for their owner that has no secret in it', async () => {
    const url = urlOf(broker, 'http');
    const added = await done([
      ...['context', 'add', 'remote', '-url', url, '-user', 'anna', '-password-file', passwordFile],
    ]);
    expect(added).toBe("Remembered 'remote', and using it.\n");
    await done(['context', 'add', 'here', '-data-dir', dataDir]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).not.toContain('sesame');
    const remote = JSON.parse(await done(['clients', 'ls', '-json']));
    expect(remote.map(({ door }: { door: string }) => door)).toContain('http');
    const here = JSON.parse(await done(['clients', 'ls', '-json', '-context', 'here']));
    expect(here.map(({ door }: { door: string }) => door)).not.toContain('http');
  });

  it('are what commands on users and rules use too', async () => {
    expect(JSON.parse(await done(['users', 'list', '-json', '-context', 'remote']))).toHaveLength(2);
    await done(['users', 'disable', 'ben', '-context', 'remote']);
    await done(['users', 'enable', 'ben', '-context', 'here']);
  });

  it('are listed, used and forgotten', async () => {
    expect(await done(['context', 'ls'])).toMatch(
      /^ +NAME .*\n +here +\/.*\n\* remote +http:.*anna, password in/,
    );
    await done(['context', 'use', 'here']);
    expect(JSON.parse(await done(['context', 'ls', '-json']))).toMatchObject([
      { name: 'here', isCurrent: true },
      { name: 'remote', isCurrent: false },
    ]);
    expect(await done(['status'])).toContain('tinymq');
    await done(['context', 'rm', 'here']);
    expect(JSON.parse(await done(['context', 'ls', '-json']))).toMatchObject([{ name: 'remote' }]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).not.toHaveProperty('current');
  });

  it('are refused where they make no sense', async () => {
    expect(await refused(['context', 'use', 'remotee'])).toContain(
      "no context 'remotee'; did you mean remote?",
    );
    expect(await refused(['context', 'add', 'x'])).toContain('a context has one place');
    expect(await refused(['context', 'add', 'x', '-data-dir', 'd', '-user', 'u'])).toContain(
      '-user goes with -url',
    );
    expect(await refused(['context', 'add', 'x', '-url', 'http://u:p@h'])).toContain(
      'no user and password in it',
    );
    expect(await refused(['context', 'add', 'x', '-url', 'tcp://h'])).toContain(
      'such as http://localhost:8080',
    );
    expect(await refused(['context', 'add', '../x', '-data-dir', 'd'])).toContain('a name has letters');
    expect(await refused(['status', '-context', 'remote', '-data-dir', 'd'])).toContain('both say where');
  });
});

// `status` counted 54 retained messages where `retained ls` showed none: those of $SYS were counted, and a filter of # does not
// match them, nor what clients retain below another name with $. Both go by what clients have retained.
it('counts the retained messages that it lists, exports and measures: those of clients', async () => {
  const place = join(folder, 'counted');
  await using other = await startBroker({
    ...{ listen: ['tcp://127.0.0.1:0'], http: { listen: ['http://127.0.0.1:0'] } },
    ...{ dataDir: place, adminSocket: true },
  });
  const seen = async () => {
    const { retained } = JSON.parse(await done(['status', '-json', '-data-dir', place]));
    const listed = JSON.parse(await done(['retained', 'ls', '-json', '-data-dir', place]));
    const metrics = await (await fetch(`${urlOf(other, 'http')}/metrics`)).text();
    const file = join(folder, `counted-${retained}.jsonl`);
    await done(['retained', 'export', file, '-data-dir', place]);
    const exported = readFileSync(file, 'utf8').split('\n').length - 1;
    const topics = listed.map(({ topic }: { topic: string }) => topic);
    return [retained, Number(/^tinymq_retained_messages (\d+)$/m.exec(metrics)?.[1]), exported, topics];
  };
  expect(await seen()).toEqual([0, 0, 0, []]);
  const client = await connectMqtt(urlOf(other, 'frames'), 5);
  const topics = ['$own/a', '$SYS/broker/connection/bridge/state', 'b'].sort();
  for (const topic of topics) await client.publishSafely(topic, 'x', { retain: true });
  expect(await seen()).toEqual([3, 3, 3, topics]);
  client.drop();
  const own = JSON.parse(await done(['retained', 'ls', '$SYS/#', '-json', '-data-dir', place]));
  expect(own.length).toBeGreaterThan(40);
});
